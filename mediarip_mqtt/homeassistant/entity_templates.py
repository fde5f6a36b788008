"""Long Jinja templates of entities: what Home Assistant keeps of a message."""

from __future__ import annotations

from typing import Final

from mediarip_mqtt.engine.thumbnail import COLUMNS, ROWS, TILE

EVENT: Final = """\
{% set job = value_json.get('job') or {} %}
{{ {
  'event_type': value_json.event_type, 'event_id': value_json.event_id, 'at': value_json.at,
  'job_id': job.get('id'), 'title': (job.get('title') or job.get('url') or '')[:250],
  'url': job.get('url'), 'filename': job.get('filename'), 'thumbnail': job.get('thumbnail'),
  'error_code': job.get('error_code'), 'error': job.get('error_message'),
  'session_id': job.get('session_id'), 'request_id': job.get('request_id'),
  'category': job.get('category'), 'tags': job.get('tags') or [], 'items': job.get('items'),
  'reason': value_json.get('reason'), 'subscription': value_json.get('name'),
  'count': value_json.get('count') } | to_json }}"""

# `recent` keeps the last replies with a request id: a script may begin to wait only after another
# reply has replaced its own. `titles`: a page of a search; in full it could exceed 16 KiB.
RESPONSE: Final = """\
{% set error = value_json.get('error') or {} %}{% set job = value_json.get('job') or {} %}
{% set reply = {
  'ok': value_json.ok, 'command': value_json.command, 'request_id': value_json.request_id,
  'job_id': value_json.get('job_id'), 'title': (job.get('title') or job.get('url') or '')[:250],
  'count': value_json.get('count'), 'error_code': error.get('code'),
  'error': (error.get('message') or '')[:250], 'field': error.get('field') } %}
{% set recent = state_attr(entity_id, 'recent') or [] %}
{% if reply.request_id %}{% set recent = (recent + [{
  'request_id': reply.request_id, 'ok': reply.ok, 'job_id': reply.job_id, 'count': reply.count,
  'error_code': reply.error_code, 'error': reply.error }])[-20:] %}{% endif %}
{% if value_json.get('titles') is not none %}{% set found = namespace(titles=[]) %}
{% for one in value_json.titles[:15] %}{% set found.titles = found.titles + [dict(one.items()
 | selectattr('0', 'in', ['id', 'show', 'state', 'content_type', 'season', 'episode', 'artist',
 'album', 'year', 'filesize', 'organized_to', 'published_at', 'watched_at', 'created_at'])
 | rejectattr('1', 'none'), title=one.title[:120])] %}{% endfor %}
{% set reply = dict(reply, titles=found.titles) %}{% endif %}
{{ dict(reply, recent=recent) | to_json }}"""

# Apart from the reviews: the recorder stores all attributes again if one of them changes.
LIBRARY: Final = (
    "{'bytes': value_json.bytes, 'types': value_json.types, 'newest': value_json.newest[:10]}"
    " | to_json"
)
# Not the rest, which changes with each check.
SUBSCRIPTIONS: Final = (
    "{'paused': value_json.paused, 'failing': value_json.failing, 'problems': value_json.problems}"
    " | to_json"
)
LAST_NEW: Final = """\
{{ {'at': value_json.last_new_at, 'subscription': value_json.last_new_in} | to_json }}"""

TILE_PICTURE: Final = f"""\
{{{{ {{'tiles': {{'columns': {COLUMNS}, 'rows': {ROWS}, 'width': {TILE[0]}, 'height': {TILE[1]}}}}}
 | to_json }}}}"""
