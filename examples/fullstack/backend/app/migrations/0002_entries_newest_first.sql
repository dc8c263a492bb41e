CREATE INDEX entries_newest_first ON entries (created_at DESC, id DESC);
