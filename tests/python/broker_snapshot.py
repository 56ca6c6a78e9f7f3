"""A look at a Redis broker, in the format broker/1. It reads and changes nothing."""

import base64
import json
from datetime import datetime, timezone


def text(raw):
    """Bytes as text where they are UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(raw).decode()}


def look(redis, path, stage):
    """Writes a line for the look and one for each key that Celery may own."""
    seconds, microseconds = redis.time()
    now = datetime.fromtimestamp(seconds + microseconds / 1e6, timezone.utc)
    with open(path, "w") as file:
        head = {"snapshot": "broker/1", "captured_at": now.isoformat().replace("+00:00", "Z"), "stage": stage}
        file.write(json.dumps(head) + "\n")
        for key in sorted(redis.keys("*")):
            kind = redis.type(key).decode()
            line = {"db": 0, "key": text(key), "type": kind, "pttl": redis.pttl(key)}
            match kind:
                case "list":
                    line["entries"] = [text(entry) for entry in redis.lrange(key, 0, -1)]
                case "set":
                    line["entries"] = [text(member) for member in sorted(redis.smembers(key))]
                case "hash":
                    line["entries"] = {text(name): text(value) for name, value in redis.hgetall(key).items()}
                case "zset":
                    line["entries"] = [
                        [text(member), score] for member, score in redis.zrange(key, 0, -1, withscores=True)
                    ]
                case "string":
                    value = redis.get(key)
                    line["entries"] = [] if value is None else text(value)
                case _:
                    continue  # gone since it was listed
            file.write(json.dumps(line) + "\n")
