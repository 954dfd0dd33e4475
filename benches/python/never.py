"""A sensor of a user's own, whose condition never holds."""

from flytekit.sensor.base_sensor import BaseSensor


class Never(BaseSensor):
    async def poke(self, n: int) -> bool:
        return False
