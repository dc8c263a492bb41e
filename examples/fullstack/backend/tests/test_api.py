from datetime import datetime, timezone

import pytest


def test_without_entries_the_list_is_empty(client):
    assert client.get("/entries").json() == []


def test_an_added_entry_is_listed(client):
    answer = client.post("/entries", json={"text": "hello"})
    assert answer.status_code == 201
    added = answer.json()
    assert added["text"] == "hello"
    assert abs(datetime.now(timezone.utc) - datetime.fromisoformat(added["created_at"])).total_seconds() < 60
    assert client.get("/entries").json() == [added]


def test_the_newest_entry_comes_first(client):
    for text in ("first", "second", "third"):
        client.post("/entries", json={"text": text})
    assert [entry["text"] for entry in client.get("/entries").json()] == ["third", "second", "first"]


def test_the_list_ends_after_fifty(client):
    with client.app.state.pool.connection() as connection:
        connection.execute(
            "INSERT INTO entries (text, created_at) SELECT n, now() + n * interval '1 second' FROM generate_series(0, 51) AS n"
        )
    listed = client.get("/entries").json()
    assert len(listed) == 50
    assert listed[-1]["text"] == "2"


@pytest.mark.parametrize("text", ["", "   ", "x" * 281])
def test_an_entry_needs_1_to_280_characters(client, text):
    assert client.post("/entries", json={"text": text}).status_code == 422
    assert client.get("/entries").json() == []


def test_text_is_kept_as_it_is(client):
    text = "'); DROP TABLE entries; -- <b>ü</b> 🚀"
    assert client.post("/entries", json={"text": text}).json()["text"] == text
    assert client.get("/entries").json()[0]["text"] == text


def test_the_release_is_told(client):
    assert client.get("/release").json() == {"sha": "0123abc", "environment": "test"}
