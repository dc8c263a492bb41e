from django.test import Client, TestCase

from guestbook.models import Entry


class Guestbook(TestCase):
    def test_an_entry_is_shown_newest_first(self):
        for text in ("first", "second"):
            self.assertEqual(self.client.post("/add", {"text": text}).status_code, 302)
        self.assertEqual([e["text"] for e in self.client.get("/api/entries").json()["entries"]], ["second", "first"])
        self.assertContains(self.client.get("/"), "second")

    def test_an_entry_is_shown_as_text(self):
        Entry.objects.create(text="<script>")
        self.assertContains(self.client.get("/"), "&lt;script&gt;")

    def test_an_empty_or_long_entry_is_refused(self):
        for text in ("", " ", "x" * 201):
            self.assertEqual(self.client.post("/add", {"text": text}).status_code, 400)

    def test_a_form_of_another_site_is_refused(self):
        self.assertEqual(Client(enforce_csrf_checks=True).post("/add", {"text": "x"}).status_code, 403)

    def test_health_asks_the_database(self):
        self.assertEqual(self.client.get("/healthz").content, b"ok\n")
