"""Tables of telling people: destinations, who gets what and when, what is to be told and how far it has come."""

from techtrack.notifications.models.channels import Channel, SiteScopedQuerySet
from techtrack.notifications.models.outbox import LETTER, Delivery, DeliveryQuerySet, DeliveryState, Group, Notice
from techtrack.notifications.models.routes import Preference, Rota, Route

__all__ = [
    "LETTER",
    "Channel",
    "Delivery",
    "DeliveryQuerySet",
    "DeliveryState",
    "Group",
    "Notice",
    "Preference",
    "Rota",
    "Route",
    "SiteScopedQuerySet",
]
