// How numbers, times and lengths are written. Pure: the language and the time come from outside.

import type { Language } from './language.svelte';

/** `0:07`, `12:34`, `1:02:03`. */
export function duration(seconds: number): string {
    const whole = Math.max(0, Math.floor(seconds));
    const two = (value: number) => String(value).padStart(2, '0');
    const minutes = Math.floor(whole / 60) % 60;
    const hours = Math.floor(whole / 3600);
    return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** A telephone number for the eye: `+7 999 111-22-33`; masked ones `••• 2233`. What it does not know stays as it is. */
export function phone(number: string): string {
    const masked = /^\*+(\d+)$/.exec(number);
    if (masked) return `•••\u00a0${masked[1]}`;
    const russian = /^\+7(\d{3})(\d{3})(\d{2})(\d{2})$/.exec(number);
    if (russian) return `+7\u00a0${russian[1]}\u00a0${russian[2]}\u2011${russian[3]}\u2011${russian[4]}`;
    // A hash stands for a number that nobody may read; its beginning tells two apart.
    if (number.startsWith('h:')) return `#${number.slice(2, 10)}`;
    return number;
}

/** Whether this is no whole number, so that it could be revealed. */
export function masked(number: string): boolean {
    return !number.startsWith('+');
}

const locales: Record<Language, string> = { en: 'en-GB', ru: 'ru-RU' };
const formats = new Map<string, Intl.DateTimeFormat>();

function format(language: Language, name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
    const key = `${language} ${name}`;
    const known = formats.get(key) ?? new Intl.DateTimeFormat(locales[language], options);
    formats.set(key, known);
    return known;
}

const day = { day: '2-digit', month: '2-digit', year: 'numeric' } as const;
const time = { hour: '2-digit', minute: '2-digit', second: '2-digit' } as const;

/** `14:03:59` of today, `21.11.2026 14:03` of another day: in the time zone of whoever reads. */
export function moment(at: number, now: number, language: Language): string {
    const same = new Date(at).toDateString() === new Date(now).toDateString();
    if (same) return format(language, 'time', time).format(at);
    return format(language, 'moment', { ...day, hour: '2-digit', minute: '2-digit' }).format(at).replace(',', '');
}

/** The whole of it, with the time zone. */
export function exactMoment(at: number, language: Language): string {
    return format(language, 'exact', { dateStyle: 'full', timeStyle: 'long' }).format(at);
}

/** `12,345`, `3.8`: with at most `digits` after the point. */
export function amount(value: number, language: Language, digits = 0): string {
    return value.toLocaleString(locales[language], { maximumFractionDigits: digits });
}

/** `97 %` of a share of 0.97. */
export function share(value: number, language: Language, digits = 0): string {
    return value.toLocaleString(locales[language], { style: 'percent', maximumFractionDigits: digits });
}

/** `1.4 MB`. */
export function bytes(size: number, language: Language): string {
    const units = language === 'ru' ? ['Б', 'КБ', 'МБ', 'ГБ'] : ['B', 'kB', 'MB', 'GB'];
    let unit = 0;
    let left = size;
    while (left >= 1000 && unit < units.length - 1) {
        left /= 1000;
        unit += 1;
    }
    return `${amount(left, language, unit === 0 || left >= 100 ? 0 : 1)}\u00a0${units[unit]}`;
}
