"""What every operation of the OpenAPI document has in common: problems, preconditions, request ids."""

from __future__ import annotations

from typing import Any

PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details.",
    "required": ["type", "title", "status", "detail", "code", "instance", "request_id", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {name: {"type": "string"} for name in ("pointer", "code", "detail")},
            },
        },
        "current": {"description": "With 412: the representation as it is now."},
    },
}
# In the schema of a read-only field: it is there only where it says something. Else the document would require it.
SPARSE = "x-sparse"
MERGE_PATCH = "application/merge-patch+json"
_METHODS = {"get", "post", "put", "patch", "delete"}
_NO_IDEMPOTENCY = (
    "/api/token",
    "/api/accounts",
    "/api/data",
    "/api/measurements",
    "/api/ingest",
    "/api/keys",
    "/api/calendar-feeds",
    "/api/live",
    "/api/tasks/{task_id}/links",
    # What has gone out cannot be taken back with a transaction.
    "/api/channels/{id}/test",
)
# Done twice it is as done once, and of no version.
_NO_VERSION = (
    "/api/accounts/sessions",
    "/api/accounts/second-factor",
    "/api/lockouts",
    "/api/rules/previews",
    "/api/users/{id}/second-factor",
)
# Where only what is made is made once.
_ONLY_MADE_ONCE = ("/api/users", "/api/lockouts", "/api/rules/previews")


def describe_manners(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add to every operation what core/api does for it (a drf-spectacular postprocessing hook)."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    for schema in schemas.values():
        _require_what_is_there(schema)
    schemas["Problem"] = PROBLEM
    for path, item in result["paths"].items():
        for method, operation in item.items():
            if method in _METHODS:
                _describe(path, method, operation)
    return result


def _require_what_is_there(schema: dict[str, Any]) -> None:
    for name, field in schema.get("properties", {}).items():
        if field.pop(SPARSE, False) and name in schema.get("required", []):
            schema["required"].remove(name)


def _describe(path: str, method: str, operation: dict[str, Any]) -> None:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operation["responses"]["default"] = {
        "description": "A problem: see `code` and `errors`.",
        "content": content,
    }
    if method != "patch" and "requestBody" in operation:
        operation["requestBody"]["content"].pop(MERGE_PATCH, None)
    parameters = operation.setdefault("parameters", [])
    if method in {"put", "patch", "delete"} and "{" in path and not path.startswith(_NO_VERSION):
        parameters.append(_header("If-Match", 'The ETag you have seen, such as `"3"`; 412 if it changed since.'))
    plain = (*_NO_IDEMPOTENCY, *(() if method == "post" else _ONLY_MADE_ONCE))
    if method != "get" and not path.startswith(plain):
        parameters.append(
            _header("Idempotency-Key", "Repeats with the same key and body get the first answer again (24 h).")
        )


def _header(name: str, text: str) -> dict[str, Any]:
    return {
        "in": "header",
        "name": name,
        "required": False,
        "description": text,
        "schema": {"type": "string"},
    }
