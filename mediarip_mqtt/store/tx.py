"""What can be read and written in one transaction, composed of one part for each subject.

All SQL is in these parts, and in the migrations.
"""

from __future__ import annotations

from mediarip_mqtt.store.checkpoint_rows import CheckpointRows
from mediarip_mqtt.store.clock_rows import ClockRows
from mediarip_mqtt.store.error_rows import ErrorRows
from mediarip_mqtt.store.file_rows import FileRows
from mediarip_mqtt.store.history_rows import HistoryRows
from mediarip_mqtt.store.known_rows import KnownRows
from mediarip_mqtt.store.label_rows import LabelRows
from mediarip_mqtt.store.lease_rows import LeaseRows
from mediarip_mqtt.store.library_run_rows import LibraryRunRows
from mediarip_mqtt.store.login_rows import LoginRows
from mediarip_mqtt.store.outbox_rows import OutboxRows
from mediarip_mqtt.store.playlist_rows import PlaylistRows
from mediarip_mqtt.store.probe_rows import ProbeRows
from mediarip_mqtt.store.progress_rows import ProgressRows
from mediarip_mqtt.store.queue_rows import QueueRows
from mediarip_mqtt.store.request_rows import RequestRows
from mediarip_mqtt.store.retention_rows import RetentionRows
from mediarip_mqtt.store.setting_rows import SettingRows
from mediarip_mqtt.store.show_rows import ShowRows
from mediarip_mqtt.store.subscription_item_rows import SubscriptionItemRows
from mediarip_mqtt.store.subscription_rows import SubscriptionRows
from mediarip_mqtt.store.title_file_rows import TitleFileRows
from mediarip_mqtt.store.title_rows import TitleRows
from mediarip_mqtt.store.title_upkeep_rows import TitleUpkeepRows


class Tx(
    PlaylistRows,
    QueueRows,
    HistoryRows,
    RetentionRows,
    ProgressRows,
    ClockRows,
    FileRows,
    TitleRows,
    TitleFileRows,
    TitleUpkeepRows,
    ShowRows,
    KnownRows,
    LabelRows,
    LibraryRunRows,
    SubscriptionItemRows,
    SubscriptionRows,
    CheckpointRows,
    OutboxRows,
    RequestRows,
    ProbeRows,
    LoginRows,
    SettingRows,
    ErrorRows,
    LeaseRows,
):
    """A transaction on the store; valid only in the function that `Store` runs."""
