"""Commands about the library: `titles`, `review`, `tag`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AliasChoices, BeforeValidator, Field

from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.family import Command, JobRef
from mediarip_mqtt.commands.replies import Accepted
from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.content import Classification, ContentType
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.titles import MAX_CANDIDATES, Conflict, Title, TitleState
from mediarip_mqtt.library import layout
from mediarip_mqtt.library.custom_fields import changed_fields
from mediarip_mqtt.library.reviews import ReviewAnswer, answer
from mediarip_mqtt.library.slugs import slug
from mediarip_mqtt.library.title_reference import find_title
from mediarip_mqtt.store import TitleFilter, Tx

MAX_LISTED: Final = 200
# Without a filter by state: what was given up is left out.
_LISTED: Final = frozenset(TitleState) - {
    TitleState.FAILED,
    TitleState.DISCARDED,
    TitleState.DELETED,
}


def _as_list(value: object) -> object:
    """Take a single text or number as a list of one."""
    return (value,) if isinstance(value, str | int | float) else value


Names = Annotated[tuple[texts.Line, ...], BeforeValidator(_as_list), Field(max_length=20)]
TitleRef = JobRef


class OneTitle(Accepted):
    """The title, as it is after the command."""

    title_id: str
    title: Title
    filename: str | None = Field(
        description="Path of its medium below the storage root; where it is moved to next."
    )


class ListedTitles(Accepted):
    """Titles, newest first; those that wait for a review, oldest first."""

    titles: list[Title]
    count: int
    truncated: bool = Field(
        default=False,
        description="The broker does not take more titles in one packet: the next page has the "
        "rest.",
    )

    @classmethod
    def of(cls, titles: list[Title]) -> ListedTitles:
        """Return the reply for titles."""
        return cls(titles=titles, count=len(titles))


class Titles(Command):
    """Search the library, newest first."""

    example: ClassVar = {"query": "tide", "content_type": "tv", "limit": 10}
    main_argument = "query"
    reads = True
    skips_empty = True

    command: Literal["titles"] = "titles"
    query: texts.Line | None = Field(
        None, description="Words, or beginnings of words, of title, show and description."
    )
    id: TitleRef | None = Field(
        None,
        description="One title: its id or its job's, the first 4 or more characters, or `last`.",
    )
    content_type: ContentType | None = Field(None, description="Only titles of this type.")
    show: texts.Line | None = Field(None, description="Only titles of this show.")
    tag: texts.Line | None = Field(None, description="Only titles with this tag.")
    state: TitleState | None = Field(
        None, description="Only titles with this state; default: all that were not given up."
    )
    watched: bool | None = Field(None, description="Only watched ones, or only others.")
    limit: int = Field(50, ge=1, le=MAX_LISTED, description="How many titles.")
    before: TitleRef | None = Field(
        None, description="Only titles older than this one (for the next page)."
    )

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> ListedTitles:
        """Read the titles; an isolated session gets only its own."""
        scope = context.scope(origin.session_id)
        if self.id is not None:
            return ListedTitles.of([find_title(tx, self.id, scope)])
        wanted = TitleFilter(
            query=self.query,
            states=(self.state,) if self.state else _LISTED,
            content_type=self.content_type,
            show_key=layout.fold(self.show) if self.show else None,
            tag=slug(self.tag) if self.tag else None,
            watched=self.watched,
            session_id=scope,
        )
        before = find_title(tx, self.before, scope).id if self.before else None
        return ListedTitles.of(tx.titles(wanted, self.limit, before))


class Review(Command, Classification):
    """Say what a title is, or without an id list the titles that wait for it."""

    example: ClassVar = {"id": "last", "show": "Tides", "season": 1, "episode": 2}
    main_argument = "id"
    skips_empty = True

    command: Literal["review"] = "review"
    id: TitleRef | None = Field(
        None,
        validation_alias=AliasChoices("id", "title_id"),
        description="A title: its id or its job's, the first 4 or more characters, or `last`. "
        "Without it: what waits.",
    )
    accept: bool = Field(default=False, description="Take the likeliest candidate.")
    choice: Annotated[int, Field(ge=1, le=MAX_CANDIDATES)] | None = Field(
        None, description="Take this candidate; the first one is 1."
    )
    discard: bool = Field(default=False, description="Remove the file; the job is cancelled.")
    conflict: Conflict | None = Field(
        None,
        description="If another title has the number: `rename` keeps both, `skip` discards this "
        "one, `ask` refuses with `conflict`, `overwrite` archives the other title.",
    )
    remember: bool = Field(
        default=False, description="Use the type and show also for what comes from this channel."
    )

    def concerns_all(self) -> bool:
        """Return True if the answer is remembered: it counts for the downloads of every session."""
        return self.remember

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> OneTitle | ListedTitles:
        """Take the answer, or list what waits."""
        scope = context.scope(origin.session_id)
        given = self._answer()
        if self.id is None:
            if given is not None:
                raise CommandError(
                    ErrorCode.INVALID_PAYLOAD, "Say which title it is, by its `id`.", field="id"
                )
            return ListedTitles.of(tx.titles_in({TitleState.REVIEW}, MAX_LISTED, scope))
        title = find_title(tx, self.id, scope)
        if given is not None:
            title = answer(tx, context.catalogue, title, given)
        return one_title(tx, title)

    def _answer(self) -> ReviewAnswer | None:
        """Return what is answered; None for a question. Raises `CommandError`."""
        said = Classification(**self.model_dump(include=set(Classification.model_fields)))
        corrects = said != Classification()
        if sum((self.accept or self.choice is not None or corrects, self.discard)) > 1:
            raise CommandError(
                ErrorCode.INVALID_PAYLOAD, "`discard` goes with no other answer.", field="discard"
            )
        if not (self.accept or self.discard or corrects or self.choice is not None):
            return None
        return ReviewAnswer(
            choice=self.choice or 1,
            said=said,
            conflict=self.conflict,
            discard=self.discard,
            remember=self.remember,
        )


class TagTitle(Command):
    """Change a title's tags, category and custom fields."""

    example: ClassVar = {"id": "last", "add": ["sea"], "category": "Documentaries"}
    main_argument = "id"

    command: Literal["tag"] = "tag"
    id: TitleRef = Field(
        validation_alias=AliasChoices("id", "title_id"),
        description="A title: its id or its job's, the first 4 or more characters, or `last`.",
    )
    add: Names = Field((), description="Tags to add.")
    remove: Names = Field((), description="Tags to remove.")
    category: Annotated[str, Field(max_length=200)] | None = Field(
        None, description="Its category; an empty text removes it."
    )
    fields: dict[str, Any] = Field(
        default_factory=dict,
        max_length=100,
        description="Values of the fields in `library.fields`; null removes one.",
    )

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> OneTitle:
        """Change the title; its file stays where it is."""
        title = find_title(tx, self.id, context.scope(origin.session_id))
        moment = context.clock()
        tx.remove_tags(title.id, [slug(name) for name in self.remove])
        tx.add_tags(title.id, [(slug(name), name) for name in self.add], moment)
        if self.category is not None:
            name = texts.clean(self.category, 200)
            tx.set_category(title.id, slug(name) if name else "", name, moment)
        if self.fields:
            definitions = context.settings.library.fields
            values = changed_fields(definitions, title.fields, self.fields)
            tx.update_title(title.id, fields=values)
        return one_title(tx, tx.title(title.id) or title)


def one_title(tx: Tx, title: Title) -> OneTitle:
    """Return the reply for a title."""
    files = [] if title.state is TitleState.DISCARDED else tx.title_files(title.id)
    main = next((file for file in files if file.main), None)
    filename = (main.move_to or main.filename) if main else title.organized_to
    return OneTitle(title_id=title.id, title=title, filename=filename)
