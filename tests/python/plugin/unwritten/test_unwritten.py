"""The plugin reads what the binary is still writing."""

import pytest

from tracelink_cli.testing.broker_looks import BrokerLooks

HEAD = '{"tracelink_snapshot":1,"broker":"redis://127.0.0.1:6379/0"}\n'
HEARD = '{"at":"2026-01-01T00:00:00Z","db":0,"key":"celery","type":"list","pttl":-1,"entries":["m"]}\n'


@pytest.mark.parametrize(
    ("written", "files"),
    [("", 0), (HEAD[:20], 0), (HEAD, 1), (HEAD + HEARD[:30], 1), (HEAD + HEARD, 1)],
)
@pytest.mark.parametrize("name", ["redis.overheard.jsonl", "redis.0001.jsonl"])
def test_a_file_is_there_before_its_lines_are(tmp_path, name, written, files):
    bundle, cut = tmp_path / "bundle", tmp_path / "cut"
    bundle.mkdir()
    cut.mkdir()
    (bundle / name).write_text(written)
    looks = BrokerLooks(bundle)
    looks.refresh()
    assert looks.has_messages() == (HEARD in written)
    assert len(looks.cut_out(lambda _: True, lambda _: True, cut)) == files
