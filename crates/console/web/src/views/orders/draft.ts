// An order as fields of a form have it, and what of it is said to the server.

import type { components } from '../../api/schema';
import { readData, shownData } from '../../parts/attached';
import { DAY, lifetime, type Choice } from '../../parts/lifetime';

type Order = components['schemas']['Order'];
type OrderDraft = components['schemas']['OrderDraft'];
type OrderPatch = components['schemas']['OrderPatch'];
type PartyPatch = NonNullable<OrderPatch['courier']>;

interface PartyFields {
    number: string;
    name: string;
    language: string;
    quiet: string;
    time_zone: string;
}

export interface Draft {
    courier: PartyFields;
    client: PartyFields;
    choice: Choice;
    moment: string;
    line: string;
    max_calls: number | null;
    data: string;
}

const blank = (): PartyFields => ({ number: '', name: '', language: '', quiet: '', time_zone: '' });

export function freshDraft(): Draft {
    return { courier: blank(), client: blank(), choice: `${10 * DAY}`, moment: '', line: '', max_calls: null, data: '' };
}

/** The fields of an order that is to be changed; numbers are empty, as they may be masked. */
export function draftOf(order: Order): Draft {
    const fields = (party: Order['client']): PartyFields => ({
        number: '',
        name: party.name ?? '',
        language: party.language ?? '',
        quiet: party.quiet ?? '',
        time_zone: party.time_zone ?? '',
    });
    return {
        courier: fields(order.courier),
        client: fields(order.client),
        choice: 'keep',
        moment: '',
        line: order.line ?? '',
        max_calls: order.max_calls,
        data: shownData(order.data),
    };
}

const optional = ['name', 'language', 'quiet', 'time_zone'] as const;

/** A new order. */
export function asPut(draft: Draft): OrderDraft {
    const party = (fields: PartyFields): OrderDraft['courier'] => ({
        number: fields.number,
        ...Object.fromEntries(optional.filter((key) => fields[key] !== '').map((key) => [key, fields[key]])),
    });
    const data = readData(draft.data);
    return {
        courier: party(draft.courier),
        client: party(draft.client),
        ...lifetime(draft.choice, draft.moment),
        ...(draft.line && { line: draft.line }),
        ...(draft.max_calls !== null && { max_calls: draft.max_calls }),
        ...(data !== null && { data }),
    };
}

/** What is another now than it was. */
export function asPatch(draft: Draft, order: Order): OrderPatch {
    const party = (fields: PartyFields, before: Order['client']): PartyPatch => ({
        ...(fields.number !== '' && { number: fields.number }),
        ...Object.fromEntries(
            optional.filter((key) => fields[key] !== (before[key] ?? '')).map((key) => [key, fields[key] === '' ? null : fields[key]]),
        ),
    });
    const [courier, client] = [party(draft.courier, order.courier), party(draft.client, order.client)];
    return {
        ...(Object.keys(courier).length > 0 && { courier }),
        ...(Object.keys(client).length > 0 && { client }),
        ...lifetime(draft.choice, draft.moment),
        ...(draft.max_calls !== order.max_calls && { max_calls: draft.max_calls }),
        ...(draft.data !== shownData(order.data) && { data: readData(draft.data) }),
    };
}
