// Problems in words. The server says in English what is wrong and what would be right; in Russian its codes are said.

import type { Code, Problem } from '../api/problem';
import { language } from '../language.svelte';

const russian: Record<Code, string> = {
    'not-json': 'Запрос не разобран',
    'content-type': 'Такой тип данных здесь не принимается',
    'body-too-large': 'Слишком много данных',
    'body-timeout': 'Данные не пришли вовремя',
    'body-cut': 'Соединение прервалось',
    'unknown-field': 'Такого поля нет',
    'missing-field': 'Не заполнено',
    'wrong-type': 'Значение не того вида',
    'code-invalid': 'В коде не столько цифр, сколько в кодах этой линии',
    'number-invalid': 'Это не номер телефона',
    'same-number': 'У обеих сторон один и тот же номер',
    'expiry-out-of-range': 'Заказ живёт от секунды до года',
    'expiry-past': 'Это время уже прошло',
    'expiry-twice': 'Срок указан дважды',
    'unknown-line': 'Линии с таким номером нет',
    'unknown-language': 'Такого языка нет',
    'unknown-prompt': 'Такой фразы нет',
    'unknown-plan': 'Такого плана нет',
    'data-too-large': 'Данных слишком много или они слишком глубоко вложены',
    'quiet-invalid': 'Это не тихие часы, или такого часового пояса нет',
    'row-invalid': 'Строка не читается',
    'digits-invalid': 'Таких клавиш на телефоне нет',
    'unknown-parameter': 'Такого параметра нет',
    'parameter-invalid': 'Параметр не читается',
    'cursor-invalid': 'Страница списка устарела, начните сначала',
    'idempotency-key-invalid': 'Негодный ключ повтора',
    'idempotency-key-reused': 'Ключ повтора уже занят другим запросом',
    'idempotency-key-busy': 'Такой же запрос ещё выполняется',
    unauthorized: 'Нужно войти',
    forbidden: 'На это нет прав',
    'no-such-path': 'Такого адреса нет',
    'order-unknown': 'Такого действующего заказа нет',
    'line-needed': 'Такой заказ есть на нескольких линиях',
    'precondition-failed': 'Тем временем это изменил кто-то другой',
    'rate-limited': 'Слишком много запросов, подождите',
    'block-unknown': 'Такой блокировки нет',
    'call-unknown': 'Этот звонок уже закончился',
    'callback-unknown': 'Такого обратного звонка нет',
    'plan-unknown': 'Такого плана нет',
    'record-unknown': 'Такой записи нет',
    'recording-unknown': 'Такой записи разговора нет',
    'recording-deleted': 'Запись разговора удалена',
    'recording-unreadable': 'Запись разговора не читается',
    'not-recorded': 'Этот звонок не записывается',
    'prompt-unknown': 'Такой фразы нет',
    'webhook-unknown': 'Такого вебхука нет',
    'dead-letter-unknown': 'Такого недоставленного события нет',
    'out-of-range': 'Значение вне допустимого',
    'number-ours': 'Это один из собственных номеров',
    'number-not-in-pool': 'Этого номера нет в пуле',
    'country-not-allowed': 'Страна номера не разрешена',
    'dials-invalid': 'Названные номера не подходят к этому виду пары',
    'party-needed': 'Для двух номеров нужны две стороны',
    'pair-unknown': 'Такой пары нет',
    'pair-ended': 'Пара уже закончилась',
    'pair-live': 'Пара ещё действует',
    'pair-changed': 'Тем временем пару изменил кто-то другой',
    'no-number-free': 'Для этих телефонов нет свободного номера',
    'number-busy': 'Этот номер для этих телефонов занят',
    'method-not-allowed': 'Так здесь нельзя',
    'range-not-satisfiable': 'Такой части записи нет',
    'prompt-unusable': 'Эта запись не годится для фразы',
    'text-invalid': 'Этот текст нельзя произнести: нужно от 1 до 1000 знаков',
    'speech-failed': 'Текст не произнесён: синтезатора нет, или он не справился',
    'too-many-streams': 'Слишком много слушателей событий',
    overloaded: 'Сервер занят, попробуйте ещё раз',
    'store-failed': 'Хранилище не отвечает',
    'server-silent': 'Сервер не ответил вовремя',
    internal: 'Ошибка сервера',
    unreachable: 'Сервер недоступен',
    unreadable: 'Ответ сервера не читается',
};

/** Codes that say too little without what is special about this one. */
const special: ReadonlySet<Code> = new Set<Code>([
    'out-of-range',
    'wrong-type',
    'row-invalid',
    'prompt-unusable',
    'quiet-invalid',
    'dials-invalid',
    'speech-failed',
    'unreadable',
    'parameter-invalid',
]);

/** What is wrong, for the person before the screen. */
export function explain(problem: Problem): string {
    if (language.now === 'en') return problem.code === 'unreachable' ? 'The server does not answer' : problem.detail;
    const said = russian[problem.code] as string | undefined;
    if (!said) return problem.detail;
    return special.has(problem.code) ? `${said} (${problem.detail})` : said;
}
