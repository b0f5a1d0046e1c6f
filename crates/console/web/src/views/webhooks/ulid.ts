// When an event happened, by its name (a ULID: 48 bits of milliseconds since 1970, in Crockford's base 32, then chance).

const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** As RFC 3339 has it; `null` of what is no such name. */
export function happened(event: string | null): string | null {
    if (!event || !/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(event)) return null;
    const milliseconds = [...event.slice(0, 10)].reduce((sum, digit) => sum * 32 + DIGITS.indexOf(digit), 0);
    return new Date(milliseconds).toISOString();
}
