"""Looking at everything that a test's Redis holds."""

from redis.asyncio import Redis

# Taken and kept also where a batch is refused; and how far the index was swept, which every tick moves.
OWNERSHIP = {b"owner", b"gen", b"lease", b"swept", b"seq"}


async def dump(redis: Redis, prefix: str) -> dict[str, object]:
    """Every key under a prefix with its whole content, but for who owns what until when."""
    return {key: await _content(redis, key) for key in await key_names(redis, prefix)}


async def key_names(redis: Redis, prefix: str) -> list[str]:
    return sorted([key.decode() async for key in redis.scan_iter(match=f"{prefix}*", count=1_000)])


async def _content(redis: Redis, key: str) -> object:
    match await redis.type(key):
        case b"hash":
            fields = await redis.hgetall(key)
            return {name: value for name, value in fields.items() if name not in OWNERSHIP}
        case b"zset":
            return await redis.zrange(key, 0, -1, withscores=True)
        case b"set":
            return sorted(await redis.smembers(key))
        case b"list":
            return await redis.lrange(key, 0, -1)
        case b"stream":
            return await redis.xrange(key)
        case _:
            return await redis.get(key)
