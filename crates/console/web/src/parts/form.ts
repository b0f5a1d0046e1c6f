// How fields of a form learn of the problem that names them.

import { getContext, setContext } from 'svelte';

import type { Problem } from '../api/problem';

export interface FormContext {
    /** What the server said of the last attempt. */
    readonly problem: Problem | null;
    /** Says that there is a field of this name; returns what says that there is not any more. */
    readonly has: (name: string) => () => void;
}

const key = Symbol('form');

export function offerForm(form: FormContext): void {
    setContext(key, form);
}

export function enclosingForm(): FormContext | undefined {
    return getContext<FormContext | undefined>(key);
}

/** Whether a problem with `at` is one of the field `name`: it itself or a part of it. */
export function names(at: string | null | undefined, name: string): boolean {
    return Boolean(at) && (at === name || at!.startsWith(`${name}.`) || at!.startsWith(`${name}[`));
}
