"""Holds what is written against a model, and finds every slip, not the first alone.

A model judges its own coherence only once each of its keys is right. So what is surely meant (a key one letter off, a
value with one near word) is mended in a copy, and the copy is judged again, until nothing new comes of it.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from minhu.declaration.allowed import allowed_keys, optional_keys
from minhu.declaration.page import Keys, Page, dotted
from minhu.declaration.slips import AllWrong, Slip, Wrong, nearest
from minhu.declaration.wording import unknown_key, worded, words_of

Model = TypeVar("Model", bound=BaseModel)
_ROUNDS = 4
_TAG = "union_tag_invalid"


def judged(
    model: type[Model], data: dict, page: Page, beneath: Mapping[Keys, Page] | None = None
) -> tuple[Model | None, list[Slip]]:
    """``data`` as a ``model``, or None, and every slip. ``beneath``: pages that stand beneath a place of ``page``."""
    pages: dict[Keys, Page] = {(): page} | dict(beneath or {})
    slips = [slip for one in pages.values() for slip in one.slips]
    try:
        value = model.model_validate(data)
    except ValidationError as error:
        return None, [*slips, *_Judge(model, data, pages).all(error)]
    return (None if slips else value), slips


class _Judge:
    def __init__(self, model: type[BaseModel], data: dict, pages: dict[Keys, Page]):
        self.model, self.data, self.pages = model, copy.deepcopy(data), pages
        self.renamed: dict[Keys, str] = {}
        """Places as they are mended → the key as it is written."""
        self.gone: set[Keys] = set()
        """Places left out or filled in: what the model around it makes of that is no finding."""

    def all(self, error: ValidationError) -> list[Slip]:
        found: dict[Slip, None] = {}
        for _ in range(_ROUNDS):
            findings = error.errors(include_url=False)
            slips, mends = self._round(findings)
            found |= dict.fromkeys(slips)
            if not mends:
                break
            try:
                self.model.model_validate(self.data)
                break
            except ValidationError as again:
                error = again
        return list(found)

    def _round(self, findings: list[ErrorDetails]) -> tuple[list[Slip], int]:
        """The slips of one round, and how many of them were mended for the next."""
        told = [finding for finding in findings if not self._is_told_by_another(finding, findings)]
        slips = [slip for finding in told for slip in self._told(finding)]
        return slips, sum([self._mend(finding) for finding in findings])

    def _told(self, finding: ErrorDetails) -> Iterator[Slip]:
        loc, keys, context = finding["loc"], self._keys(finding), finding.get("ctx", {})
        if near := self._near_tag(finding):
            yield self._slip((*keys[:-1], near), *unknown_key(near, str(keys[-1]), (str(keys[-1]),)))
        elif finding["type"] == "extra_forbidden":
            near = self._near_key(finding)
            yield self._slip(keys, *unknown_key(str(keys[-1]), near, allowed_keys(self.model, loc[:-1])))
        elif isinstance(several := context.get("error"), AllWrong):
            yield from (self._slip((*keys, *one.key), one.en, one.zh) for one in several.found)
        else:
            key = several.key if isinstance(several, Wrong) else ()
            given = self._at((*keys,)) if finding["type"] in (_TAG, "literal_error") else finding["input"]
            yield self._slip((*keys, *key), *worded(finding["type"], finding["msg"], context, given))

    def _slip(self, keys: Keys, en: str, zh: str) -> Slip:
        """A slip at the page that holds most of its keys, at its line there."""
        written = tuple(self.renamed.get(keys[: at + 1], key) for at, key in enumerate(keys))
        inner = [
            (prefix, page, page.place(written[len(prefix) :]))
            for prefix, page in self.pages.items()
            if written[: len(prefix)] == prefix
        ]
        prefix, page, (_, line) = max(inner, key=lambda one: len(one[0]) + one[2][0] if one[2][0] else 0)
        return Slip(page.path, line, dotted(written[len(prefix) :]) or "(top level)", en, zh)

    def _keys(self, finding: ErrorDetails) -> Keys:
        """The keys of the file that lead to a finding: pydantic puts the tags of unions between them."""
        at: object = self.data
        keys: list[str | int] = []
        for step in finding["loc"]:
            if _has(at, step):
                keys.append(step)
                at = at[step]  # type: ignore[index] # it has it
        if finding["type"] == "missing":
            keys.append(finding["loc"][-1])
        if finding["type"] in (_TAG, "union_tag_not_found"):
            keys.append(str(finding["ctx"]["discriminator"]).strip("'"))
        return tuple(keys)

    def _at(self, keys: Keys) -> Any:
        at: Any = self.data
        for key in keys:
            at = at[key] if _has(at, key) else None
        return at

    # -- what is surely meant -----------------------------------------------------------------------------------------

    def _near_key(self, finding: ErrorDetails) -> str | None:
        """The allowed key that an unknown one is nearest to, of those that are not given."""
        given = self._at(self._keys(finding)[:-1]) or {}
        free = [key for key in allowed_keys(self.model, finding["loc"][:-1]) if key not in given]
        return next(iter(nearest(str(finding["loc"][-1]), free)), None)

    def _is_told_by_another(self, finding: ErrorDetails, findings: list[ErrorDetails]) -> bool:
        """Whether a list is too short only because its items are wrong, or a key missing because it is misspelt or was
        left out of the copy.
        """
        loc, keys = finding["loc"], self._keys(finding)
        if any(keys == gone or (keys == gone[:-1] and finding["type"] == "value_error") for gone in self.gone):
            return True
        if finding["type"] == "too_short":
            return any(other["loc"][: len(loc)] == loc and other is not finding for other in findings)
        return finding["type"] == "missing" and any(
            other["loc"][:-1] == finding["loc"][:-1] and self._near_key(other) == finding["loc"][-1]
            for other in findings
            if other["type"] == "extra_forbidden"
        )

    def _mend(self, finding: ErrorDetails) -> bool:
        keys = self._keys(finding)
        parent = self._at(keys[:-1])
        if near := self._near_tag(finding):
            return self._rename((*keys[:-1], near), str(keys[-1]), parent)
        if not keys or not _has(parent, keys[-1]):
            return False
        if finding["type"] == "extra_forbidden":
            return self._rename(keys, self._near_key(finding), parent)
        if finding["type"] in ("literal_error", _TAG):
            return self._mend_word(finding, keys[-1], parent)
        return self._mend_bound(finding, keys, parent) or self._leave_out(keys)

    def _near_tag(self, finding: ErrorDetails) -> str | None:
        """The key that was meant to say which of several things stands here: without it nothing else is judged."""
        keys = self._keys(finding)
        parent = self._at(keys[:-1])
        is_missing = finding["type"] == "union_tag_not_found" and isinstance(parent, dict)
        return next(iter(nearest(str(keys[-1]), parent)), None) if is_missing else None

    def _rename(self, keys: Keys, near: str | None, parent: dict) -> bool:
        value = parent.pop(keys[-1])
        if near is not None:
            parent[near] = value
            self.renamed[(*keys[:-1], near)] = str(keys[-1])
        return True

    def _mend_word(self, finding: ErrorDetails, key: str | int, parent: Any) -> bool:
        context = finding["ctx"]
        near = nearest(str(parent[key]), words_of(context.get("expected") or context["expected_tags"]), cutoff=0.4)
        if near:
            parent[key] = near[0]
        return bool(near)

    def _mend_bound(self, finding: ErrorDetails, keys: Keys, parent: Any) -> bool:
        """Puts the nearest number that is allowed in the place of one that is not."""
        bounds = finding.get("ctx", {})
        allowed = [
            bounds[name] + step for name, step in (("ge", 0), ("le", 0), ("gt", 1), ("lt", -1)) if name in bounds
        ]
        if allowed:
            parent[keys[-1]] = allowed[0]
            self.gone.add(keys)
        return bool(allowed)

    def _leave_out(self, keys: Keys) -> bool:
        """Takes a wrong value out where it may be missing, so that the model around it is judged without it."""
        while keys and isinstance(keys[-1], int):
            keys = keys[:-1]
        parent = self._at(keys[:-1])
        if not keys or not isinstance(parent, dict) or keys[-1] not in optional_keys(self.model, keys[:-1], parent):
            return False
        del parent[keys[-1]]
        self.gone.add(keys)
        return True


def _has(data: object, step: object) -> bool:
    if isinstance(data, dict):
        return step in data
    return isinstance(data, list | tuple) and isinstance(step, int) and step < len(data)
