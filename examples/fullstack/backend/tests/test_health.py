from psycopg_pool import ConnectionPool


def test_with_its_database_it_is_healthy(client):
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


def test_without_its_database_it_is_not_healthy(client):
    pool = client.app.state.pool
    with ConnectionPool("postgresql://nobody@127.0.0.1:1/", min_size=0, max_size=1, timeout=0.05) as unreachable:
        client.app.state.pool = unreachable
        try:
            answer = client.get("/healthz")
        finally:
            client.app.state.pool = pool
    assert answer.status_code == 503
    assert answer.json() == {"detail": "the database does not answer"}
