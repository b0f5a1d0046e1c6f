// Calling somebody: one's own phone first. How it was done last time is how it is done next time, so that one press is enough.

import { api, ask } from '../../api/client';
import type { components } from '../../api/schema';
import { keep, kept } from '../../keep';
import { session } from '../../session.svelte';

/** Whom: a contact, or a number as it was typed. */
export type Whom = { contact: string } | { number: string };

export interface Manner {
    /** One's own phone. */
    phone: string;
    plan: string;
    line: string;
}

/** How it was done last time. One's own phone is known from the configuration, else from last time. */
export function lastManner(): Manner {
    return { phone: session.now?.number ?? kept('phone') ?? '', plan: kept('plan') ?? '', line: kept('line') ?? '' };
}

/** Calls; throws the problem if that is what the server has. */
export async function begin(whom: Whom, { phone, plan, line }: Manner): Promise<components['schemas']['Callback']> {
    const body = {
        first: phone,
        second: 'contact' in whom ? { contact: whom.contact } : whom.number,
        ...(plan && { plan }),
        ...(line && { line }),
    };
    const callback = await ask(api.POST('/v1/callbacks', { body }));
    if (!session.now?.number) keep('phone', phone);
    keep('plan', plan || null);
    keep('line', line || null);
    return callback;
}
