// A pair as fields of a form have it, and what of it is said to the server.

import type { components } from '../../api/schema';
import { readData, shownData } from '../../parts/attached';
import { DAY, lifetime, type Choice } from '../../parts/lifetime';

type Pair = components['schemas']['Pair'];
type PairPost = components['schemas']['PairPost'];
type PairPatch = components['schemas']['PairPatch'];
export type Recording = 'line' | 'on' | 'off';

interface PartyFields {
    number: string;
    name: string;
}

export interface Draft {
    a: PartyFields;
    b: PartyFields;
    mode: Pair['mode'];
    direction: Pair['direction'];
    choice: 'least-used' | 'sticky' | 'avoid-sticky';
    prefix: string;
    life: Choice;
    moment: string;
    sliding: boolean;
    fallback: string;
    max_call_seconds: number | null;
    record: Recording;
    data: string;
}

export function freshDraft(): Draft {
    return {
        a: { number: '', name: '' },
        b: { number: '', name: '' },
        mode: 'one-number',
        direction: 'both',
        choice: 'least-used',
        prefix: '',
        life: `${10 * DAY}`,
        moment: '',
        sliding: false,
        fallback: '',
        max_call_seconds: null,
        record: 'line',
        data: '',
    };
}

const asRecord = { line: null, on: true, off: false } as const;
const fromRecord = (record: boolean | null): Recording => (record === null ? 'line' : record ? 'on' : 'off');

/** The fields of a pair that is to be changed; numbers are empty, as they may be masked. */
export function draftOf(pair: Pair): Draft {
    return {
        ...freshDraft(),
        a: { number: '', name: pair.a.name ?? '' },
        b: { number: '', name: pair.b?.name ?? '' },
        mode: pair.mode,
        direction: pair.direction,
        life: 'keep',
        sliding: pair.sliding,
        max_call_seconds: pair.max_call_seconds,
        record: fromRecord(pair.record),
        data: shownData(pair.data),
    };
}

/** A new pair. */
export function asPost(draft: Draft): PairPost {
    const party = ({ number, name }: PartyFields): PairPost['a'] => ({ number, ...(name && { name }) });
    const data = readData(draft.data);
    return {
        a: party(draft.a),
        ...(draft.b.number && { b: party(draft.b) }),
        mode: draft.mode,
        direction: draft.direction,
        choice: draft.choice,
        ...(draft.prefix && { prefix: draft.prefix }),
        ...lifetime(draft.life, draft.moment),
        sliding: draft.sliding,
        ...(draft.fallback && { fallback: draft.fallback }),
        ...(draft.max_call_seconds !== null && { max_call_seconds: draft.max_call_seconds }),
        ...(draft.record !== 'line' && { record: asRecord[draft.record] }),
        ...(data !== null && { data }),
    };
}

/** What is another now than it was. A party is changed as a whole: by a number. */
export function asPatch(draft: Draft, pair: Pair): PairPatch {
    const party = ({ number, name }: PartyFields): NonNullable<PairPatch['a']> => ({ number, ...(name && { name }) });
    return {
        ...(draft.a.number && { a: party(draft.a) }),
        ...(draft.b.number && { b: party(draft.b) }),
        ...(draft.direction !== pair.direction && { direction: draft.direction }),
        ...lifetime(draft.life, draft.moment),
        ...(draft.sliding !== pair.sliding && { sliding: draft.sliding }),
        ...(draft.fallback && { fallback: draft.fallback }),
        ...(draft.max_call_seconds !== pair.max_call_seconds && { max_call_seconds: draft.max_call_seconds }),
        ...(draft.record !== fromRecord(pair.record) && { record: asRecord[draft.record] }),
        ...(draft.data !== shownData(pair.data) && { data: readData(draft.data) }),
    };
}
