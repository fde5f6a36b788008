from mediarip_mqtt.store.migrations import migrations
from tests.store.samples import dump, sample

for version, _ in migrations()[:-1]:
    if not sample(version).exists():
        sample(version).write_text(dump(version), "utf-8")
