// One field to search orders by whatever one has of them.

export interface Wanted {
    code?: string;
    number?: string;
    name?: string;
}

/** Digits are a code, as far as it is known, unless they look like a telephone number; words are a name. */
export function wanted(text: string): Wanted {
    const asked = text.trim();
    if (asked === '') return {};
    if (/^[+\d][\d\s()\-–.]*$/.test(asked)) {
        const digits = asked.replace(/\D/g, '');
        const whole = digits.length === 11 && /^[78]/.test(digits);
        const number = whole || digits.length > 12 || !/^\d+$/.test(asked);
        return number ? { number: asked.startsWith('+') ? `+${digits}` : digits } : { code: digits };
    }
    return { name: asked };
}
