// The calls that are going on, as a snapshot and the events after it tell: the same rules as the server has for its own table.

import type { components } from '../api/schema';
import type { LiveEvent } from './events';

export type Call = components['schemas']['Call'];

export interface BoardCall extends Omit<Call, 'state' | 'callee_role' | 'caller_role'> {
    readonly state: Call['state'] | 'ended';
    readonly caller_role: string | null;
    readonly callee_role: string | null;
    /** Whether the recording was paused since it is watched. */
    readonly paused: boolean;
    /** When it ended, milliseconds since 1970, and why. */
    readonly ended: { readonly at: number; readonly cause: string; readonly by: string } | null;
    /** The last event that is in it: earlier ones change nothing. */
    readonly seen: string;
}

/** How long a call that ended stays to be seen, and how many of them at most. */
export const LINGERS = 6000;
export const LINGERING = 50;

function text(value: unknown): string | null {
    return typeof value === 'string' ? value : null;
}

function fresh(event: LiveEvent, id: string): BoardCall {
    const { data } = event;
    return {
        id,
        node: event.node,
        state: 'arriving',
        line: text(data['line']),
        trunk: text(data['trunk']),
        caller: text(data['caller']),
        callee: null,
        callee_role: null,
        code: null,
        pair: null,
        caller_role: null,
        started_at: event.at,
        bridged_at: null,
        caller_name: null,
        callee_name: null,
        card_url: null,
        paused: false,
        ended: null,
        seen: event.id,
    };
}

function restored(event: LiveEvent, id: string): BoardCall {
    const { data } = event;
    return {
        ...fresh(event, id),
        state: 'talking',
        callee: text(data['callee']),
        callee_role: text(data['callee_role']),
        caller_role: text(data['caller_role']),
        code: text(data['code']),
        pair: text(data['pair']),
        started_at: text(data['started_at']) ?? event.at,
        bridged_at: text(data['bridged_at']),
    };
}

/** What an event changes of a call that is there. */
function change(call: BoardCall, { type, at, data }: LiveEvent): Partial<BoardCall> {
    switch (type) {
        case 'call.asked':
            return { state: 'asking' };
        case 'call.code':
            return { code: text(data['code']) };
        case 'call.matched':
            return {
                state: 'matching',
                code: text(data['code']) ?? call.code,
                pair: text(data['pair']),
                caller_role: text(data['caller_role']),
            };
        case 'call.operator':
            return { state: 'operator' };
        case 'call.dialling': {
            const role = text(data['callee_role']);
            // The first side of a callback stands in the caller's place.
            if (role === 'first') return { state: 'dialling', caller: text(data['callee']) };
            return { state: 'dialling', callee: text(data['callee']), callee_role: role, callee_name: null };
        }
        case 'call.ringing':
            return { state: 'ringing' };
        case 'call.bridged':
            return { state: 'talking', bridged_at: at };
        case 'call.known': {
            const card = text(data['card_url']);
            if (data['party'] === 'callee') return { callee_name: text(data['name']), card_url: call.card_url ?? card };
            return { caller_name: text(data['name']), card_url: card ?? call.card_url };
        }
        case 'recording.paused':
            return { paused: true };
        case 'recording.resumed':
            return { paused: false };
        default:
            return {};
    }
}

export class Board {
    readonly #calls = new Map<string, BoardCall>();
    #ended: string[] = [];

    /** Newest first. */
    get calls(): BoardCall[] {
        return [...this.#calls.values()].sort((one, other) => (one.id < other.id ? 1 : -1));
    }

    call(id: string): BoardCall | undefined {
        return this.#calls.get(id);
    }

    /** Begins anew. */
    clear(): void {
        this.#calls.clear();
        this.#ended = [];
    }

    /** Takes in a page of a snapshot that is true up to the event `last`. */
    take(calls: readonly Call[], last: string): void {
        for (const call of calls) {
            this.#calls.set(call.id, { ...call, paused: false, ended: null, seen: last });
        }
    }

    /** Takes over what another board has. */
    copy(calls: readonly BoardCall[]): void {
        this.clear();
        for (const call of calls) {
            this.#calls.set(call.id, call);
            if (call.ended) this.#ended.push(call.id);
        }
    }

    /** Takes in one event; those that are not about a call change nothing. Whether anything did. */
    apply(event: LiveEvent): boolean {
        const id = event.call;
        if (!id) return false;
        const known = this.#calls.get(id);
        if (known && event.id <= known.seen) return false;
        switch (event.type) {
            case 'call.arrived':
            case 'call.originated':
                this.#calls.set(id, fresh(event, id));
                return true;
            case 'call.restored':
                this.#calls.set(id, restored(event, id));
                return true;
            case 'call.ended':
                return known ? this.#end(known, event) : false;
            default: {
                if (!known || known.ended) return false;
                this.#calls.set(id, { ...known, ...change(known, event), seen: event.id });
                return true;
            }
        }
    }

    /** Lets go of calls that ended a while ago. Whether there were any. */
    prune(now: number): boolean {
        let gone = 0;
        for (const id of this.#ended) {
            const ended = this.#calls.get(id)?.ended;
            if (ended && now - ended.at < LINGERS && this.#ended.length - gone <= LINGERING) break;
            if (ended) this.#calls.delete(id);
            gone += 1;
        }
        this.#ended.splice(0, gone);
        return gone > 0;
    }

    /** Whether there are calls that `prune` will take one day. */
    get lingers(): boolean {
        return this.#ended.length > 0;
    }

    #end(call: BoardCall, event: LiveEvent): boolean {
        const ended = {
            at: Date.parse(event.at),
            cause: text(event.data['cause']) ?? '',
            by: text(event.data['ended_by']) ?? '',
        };
        this.#calls.set(call.id, { ...call, state: 'ended', ended, seen: event.id });
        this.#ended.push(call.id);
        return true;
    }
}
