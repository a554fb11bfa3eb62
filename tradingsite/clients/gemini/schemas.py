"""The answer of Gemini's `models` endpoint."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """GET /v1beta/models/{name}. `name` includes the prefix "models/"."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, hide_input_in_errors=True
    )

    name: str
    input_token_limit: int | None = None
    supported_generation_methods: tuple[str, ...] = ()
