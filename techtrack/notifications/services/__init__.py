"""Every write of telling people: channels, routes, rotas, wishes, notices, and the outbox of deliveries."""

from techtrack.notifications.services.channels import (
    create_channel,
    delete_channel,
    forget_person,
    reseal_channels,
    update_channel,
)
from techtrack.notifications.services.enclosing import LINK_AGE, LinkGone, enclosed, read_link
from techtrack.notifications.services.history import note_failed, note_told
from techtrack.notifications.services.holding import put_off_held, release_held
from techtrack.notifications.services.letters import owe_letter, owe_notes, send_letter
from techtrack.notifications.services.outbox import NOTIFY_MAX_AGE, enqueue_for_alert
from techtrack.notifications.services.recipients import AddressBook, duty
from techtrack.notifications.services.retention import forget_old
from techtrack.notifications.services.rights import recheck
from techtrack.notifications.services.rotas import RotaInUse, create_rota, delete_rota, update_rota
from techtrack.notifications.services.routes import (
    UnknownChannel,
    UnknownPerson,
    UnknownRota,
    create_route,
    delete_route,
    forget_site,
    update_route,
)
from techtrack.notifications.services.sending import (
    LEASE,
    LONGEST_ERROR,
    ChannelOff,
    NotDead,
    claim_next,
    give_up_switched_off,
    record_failure,
    record_sent,
    record_sent_and_claim,
    record_taken,
    retry_deliveries,
    retry_delivery,
    withdraw,
)
from techtrack.notifications.services.sorting import sort_notices
from techtrack.notifications.services.teller import put_off, tell_groups
from techtrack.notifications.services.trying import BeingTried, Outcome, try_channel
from techtrack.notifications.services.wishes import set_preference

__all__ = [
    "LEASE",
    "LINK_AGE",
    "LONGEST_ERROR",
    "NOTIFY_MAX_AGE",
    "AddressBook",
    "BeingTried",
    "ChannelOff",
    "LinkGone",
    "NotDead",
    "Outcome",
    "RotaInUse",
    "UnknownChannel",
    "UnknownPerson",
    "UnknownRota",
    "claim_next",
    "create_channel",
    "create_rota",
    "create_route",
    "delete_channel",
    "delete_rota",
    "delete_route",
    "duty",
    "enclosed",
    "enqueue_for_alert",
    "forget_old",
    "forget_person",
    "forget_site",
    "give_up_switched_off",
    "note_failed",
    "note_told",
    "owe_letter",
    "owe_notes",
    "put_off",
    "put_off_held",
    "read_link",
    "recheck",
    "record_failure",
    "record_sent",
    "record_sent_and_claim",
    "record_taken",
    "release_held",
    "reseal_channels",
    "retry_deliveries",
    "retry_delivery",
    "send_letter",
    "set_preference",
    "sort_notices",
    "tell_groups",
    "try_channel",
    "update_channel",
    "update_rota",
    "update_route",
    "withdraw",
]
