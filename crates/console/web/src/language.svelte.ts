// Which language is shown, and the words of it. Words that are missing in one language do not compile.

import { keep, kept } from './keep';

export type Language = 'en' | 'ru';

function first(): Language {
    const chosen = kept('language');
    if (chosen === 'en' || chosen === 'ru') return chosen;
    return navigator.languages.some((language) => language.toLowerCase().startsWith('ru')) ? 'ru' : 'en';
}

let now = $state<Language>(first());

export const language = {
    get now(): Language {
        return now;
    },
    choose(chosen: Language): void {
        now = chosen;
        keep('language', chosen);
    },
};

/** The same keys; words for words, functions of the same arguments for functions. */
export type Words<W> = {
    readonly [K in keyof W]: W[K] extends string
        ? string
        : W[K] extends (...values: infer A) => string
          ? (...values: A) => string
          : Words<W[K]>;
};

/** The words of one view in both languages. What is read from it in markup changes with the language. */
export function dictionary<W extends object>(en: W, ru: Words<NoInfer<W>>): Words<W> {
    const both: Record<Language, object> = { en, ru };
    const words = {};
    for (const key of Object.keys(en)) {
        Object.defineProperty(words, key, { get: () => Reflect.get(both[now], key) as unknown });
    }
    return words as Words<W>;
}

const rules = { en: new Intl.PluralRules('en'), ru: new Intl.PluralRules('ru') };

/** `1 call`, `2 calls`. */
export function manyEn(count: number, one: string, other: string): string {
    return `${count.toLocaleString('en')}\u00a0${rules.en.select(count) === 'one' ? one : other}`;
}

/** `1 звонок`, `2 звонка`, `5 звонков`; fractions as two. */
export function manyRu(count: number, one: string, few: string, many: string): string {
    const form = { one, few, many, other: few, zero: many, two: few }[rules.ru.select(count)];
    return `${count.toLocaleString('ru')}\u00a0${form}`;
}
