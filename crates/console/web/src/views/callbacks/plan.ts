// A plan as a form has it: texts and ticks; and as the interface takes it: what is not said is left out.

import type { components } from '../../api/schema';

type Plan = components['schemas']['CallbackPlan'];
type PlanPut = components['schemas']['CallbackPlanPut'];
type Strategy = 'in-order' | 'at-once' | 'random';

export interface SideForm {
    strategy: Strategy | '';
    ring: string;
    line: string;
    prompt: string;
    /** In place of a prompt: what is spoken, and in which language. */
    text: string;
    language: string;
    confirm: '' | 'yes' | 'no';
}

export interface PlanForm {
    /** Hours of a day, `09:00-21:00`, and the zone of the clock they are of. */
    window: string;
    zone: string;
    line: string;
    max: string;
    record: '' | 'yes' | 'no';
    first: SideForm;
    second: SideForm;
}

const said = (value: boolean | null): '' | 'yes' | 'no' => (value === null ? '' : value ? 'yes' : 'no');
/** A line may be written without its plus, and then JSON may have it as a number. */
const number = (value: number | string | null): string => (value === null ? '' : String(value));

function sideForm(side: Plan['first'] | null): SideForm {
    const prompt = side?.prompt ?? null;
    return {
        strategy: side?.strategy ?? '',
        ring: number(side?.ring_seconds ?? null),
        line: number(side?.line ?? null),
        prompt: typeof prompt === 'string' ? prompt : '',
        text: typeof prompt === 'object' ? (prompt?.text ?? '') : '',
        language: typeof prompt === 'object' ? (prompt?.language ?? '') : '',
        confirm: said(side?.confirm ?? null),
    };
}

/** What a form begins with. */
export function planForm(plan: Plan | null): PlanForm {
    return {
        line: number(plan?.line ?? null),
        max: number(plan?.max_seconds ?? null),
        record: said(plan?.record ?? null),
        window: plan?.window ?? '',
        zone: plan?.time_zone ?? '',
        first: sideForm(plan?.first ?? null),
        second: sideForm(plan?.second ?? null),
    };
}

/** A whole number as it is; anything else as it was typed, so that the server says what is wrong with it. */
function whole(typed: string): number {
    const value = Number(typed.trim());
    return Number.isInteger(value) ? value : (typed as unknown as number);
}

function sidePut(side: SideForm): NonNullable<PlanPut['first']> {
    return {
        ...(side.strategy && { strategy: side.strategy }),
        ...(side.ring.trim() && { ring_seconds: whole(side.ring) }),
        ...(side.line.trim() && { line: side.line.trim() }),
        ...(side.text.trim()
            ? { prompt: { text: side.text.trim(), ...(side.language && { language: side.language }) } }
            : side.prompt.trim() && { prompt: side.prompt.trim() }),
        ...(side.confirm && { confirm: side.confirm === 'yes' }),
    };
}

/** What a form says. */
export function planPut(form: PlanForm): PlanPut {
    return {
        first: sidePut(form.first),
        second: sidePut(form.second),
        ...(form.line.trim() && { line: form.line.trim() }),
        ...(form.max.trim() && { max_seconds: whole(form.max) }),
        ...(form.record && { record: form.record === 'yes' }),
        ...(form.window.trim() && { window: form.window.trim() }),
        ...(form.zone.trim() && { time_zone: form.zone.trim() }),
    };
}
