"""Names of the entities in other languages; those in English are in the table of entities.

An MQTT device has one name for each entity, in no particular language: Home Assistant can't
translate it. So a setting chooses. States such as `downloading` stay as they are: automations
compare them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "de": {
        "active": "Aktiv",
        "queued": "Wartend",
        "failed": "Fehlgeschlagen",
        "completed_today": "Heute fertig",
        "current": "Aktueller Download",
        "progress": "Fortschritt",
        "speed": "Geschwindigkeit",
        "eta": "Restzeit",
        "disk_free": "Freier Speicherplatz",
        "last_completed": "Zuletzt fertig",
        "last_failed": "Zuletzt fehlgeschlagen",
        "subscriptions": "Abos",
        "last_new": "Zuletzt erschienen",
        "subscription_problem": "Problem mit einem Abo",
        "response": "Antwort",
        "reviews_waiting": "Wartet auf Entscheidung",
        "library": "Mediathek",
        "running": "Aktivität",
        "storage": "Speicher",
        "problem": "Problem",
        "job": "Auftrag",
        "download": "Herunterladen",
        "url": "Link",
        "cancel_current": "Aktuellen abbrechen",
        "cancel_all": "Alle abbrechen",
        "retry_failed": "Fehlgeschlagene wiederholen",
        "clear_finished": "Fertige entfernen",
        "check_subscriptions": "Abos prüfen",
        "paused": "Pausiert",
        "preset": "Voreinstellung",
        "quality": "Qualität",
        "max_concurrent": "Gleichzeitige Downloads",
        "rate_limit": "Höchstgeschwindigkeit",
        "ytdlp": "yt-dlp",
        "thumbnail": "Vorschaubild",
        "tiles": "Vorschaubilder",
    },
    "fr": {
        "active": "En cours",
        "queued": "En attente",
        "failed": "Échecs",
        "completed_today": "Terminés aujourd'hui",
        "current": "Téléchargement actuel",
        "progress": "Progression",
        "speed": "Vitesse",
        "eta": "Temps restant",
        "disk_free": "Espace libre",
        "last_completed": "Dernier terminé",
        "last_failed": "Dernier échec",
        "subscriptions": "Abonnements",
        "last_new": "Dernière nouveauté",
        "subscription_problem": "Problème d'abonnement",
        "response": "Réponse",
        "reviews_waiting": "À vérifier",
        "library": "Médiathèque",
        "running": "Activité",
        "storage": "Stockage",
        "problem": "Problème",
        "job": "Tâche",
        "download": "Télécharger",
        "url": "Lien",
        "cancel_current": "Annuler l'actuel",
        "cancel_all": "Tout annuler",
        "retry_failed": "Relancer les échecs",
        "clear_finished": "Effacer les terminés",
        "check_subscriptions": "Vérifier les abonnements",
        "paused": "En pause",
        "preset": "Préréglage",
        "quality": "Qualité",
        "max_concurrent": "Téléchargements simultanés",
        "rate_limit": "Vitesse maximale",
        "ytdlp": "yt-dlp",
        "thumbnail": "Miniature",
        "tiles": "Miniatures",
    },
}


def entity_name(key: str, english: str | None, language: str) -> str | None:
    """Return an entity's name; None for the device's main entity, which has the device's name."""
    return english if english is None else NAMES.get(language, {}).get(key, english)
