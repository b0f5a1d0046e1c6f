// Which calls are shown: by state, and by what somebody types.

import type { BoardCall } from '../../live/board';

export function matches(call: BoardCall, state: string | null, typed: string): boolean {
    if (state && call.state !== state) return false;
    const wanted = typed.trim().toLocaleLowerCase();
    if (wanted === '') return true;
    const digits = /^[+\d\s()-]+$/.test(wanted) ? wanted.replace(/[\s()-]/g, '') : wanted;
    const texts = [call.caller_name, call.callee_name, call.code, call.line, call.caller, call.callee, call.trunk];
    return texts.some((text) => text !== null && (text.toLocaleLowerCase().includes(wanted) || text.includes(digits)));
}
