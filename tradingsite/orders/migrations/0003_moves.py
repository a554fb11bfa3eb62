"""The order's state machine, where no program can walk around it (docs/orders.md O2)."""

from django.db import migrations

GUARD = """
CREATE FUNCTION order_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'order %: orders are never deleted', OLD.identifier USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'PLANNED' THEN
            RAISE EXCEPTION 'order %: an order begins as PLANNED, not as %', NEW.identifier, NEW.state
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state || ' ' || NEW.state) NOT IN (
        'PLANNED DENIED', 'PLANNED SUBMITTING',
        'SUBMITTING OPEN', 'SUBMITTING PARTIAL', 'SUBMITTING DONE', 'SUBMITTING CANCELLED',
        'SUBMITTING REJECTED', 'SUBMITTING UNKNOWN',
        'UNKNOWN OPEN', 'UNKNOWN PARTIAL', 'UNKNOWN DONE', 'UNKNOWN CANCELLED', 'UNKNOWN LOST',
        'OPEN PARTIAL', 'OPEN DONE', 'OPEN CANCELLED',
        'PARTIAL DONE', 'PARTIAL CANCELLED',
        'LOST OPEN', 'LOST PARTIAL', 'LOST DONE', 'LOST CANCELLED'
    ) THEN
        RAISE EXCEPTION 'order %: it cannot move from % to %', OLD.identifier, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF (NEW.identifier, NEW.market, NEW.side, NEW.ord_type, NEW.cause, NEW.signal_id, NEW.price, NEW.volume, NEW.funds)
        IS DISTINCT FROM
        (OLD.identifier, OLD.market, OLD.side, OLD.ord_type, OLD.cause, OLD.signal_id, OLD.price, OLD.volume, OLD.funds)
    THEN
        RAISE EXCEPTION 'order %: what was asked for never changes', OLD.identifier
            USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.submitted_at IS NOT NULL AND NEW.submitted_at IS DISTINCT FROM OLD.submitted_at THEN
        RAISE EXCEPTION 'order %: it was sent once', OLD.identifier USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state IN ('DENIED', 'REJECTED', 'DONE', 'CANCELLED') AND
        (NEW.executed_volume, NEW.executed_funds, NEW.paid_fee, NEW.uuid)
        IS DISTINCT FROM (OLD.executed_volume, OLD.executed_funds, OLD.paid_fee, OLD.uuid)
    THEN
        RAISE EXCEPTION 'order %: it has ended', OLD.identifier USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER order_guard BEFORE INSERT OR UPDATE OR DELETE ON trading_order
FOR EACH ROW EXECUTE FUNCTION order_guard();

CREATE FUNCTION fill_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE ended text;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        RAISE EXCEPTION 'fill %: what the exchange told is never changed', OLD.uuid
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT identifier INTO ended FROM trading_order
    WHERE id = NEW.order_id AND state IN ('DENIED', 'REJECTED', 'DONE', 'CANCELLED');
    IF FOUND THEN
        RAISE EXCEPTION 'order %: it has ended, it takes no fill', ended USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER fill_guard BEFORE INSERT OR UPDATE OR DELETE ON fill
FOR EACH ROW EXECUTE FUNCTION fill_guard();

CREATE FUNCTION order_event_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'order event %: what happened is never rewritten', OLD.id USING ERRCODE = 'check_violation';
END
$$;
CREATE TRIGGER order_event_guard BEFORE UPDATE ON order_event
FOR EACH ROW EXECUTE FUNCTION order_event_guard();
"""
# Nothing stands against TRUNCATE, which no code of ours sends: it is how a test database is emptied.
NO_GUARD = """
DROP TRIGGER order_event_guard ON order_event; DROP FUNCTION order_event_guard();
DROP TRIGGER fill_guard ON fill; DROP FUNCTION fill_guard();
DROP TRIGGER order_guard ON trading_order; DROP FUNCTION order_guard();
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0002_signals_and_fills")]
    operations = [migrations.RunSQL(GUARD, NO_GUARD)]
