// Events in words: what happened, and of what there is most to know in one line.

import { phone } from '../formats';
import { dictionary } from '../language.svelte';
import type { Kind, LiveEvent } from '../live/events';
import { calls, word } from './calls';

const en: Record<Kind, string> = {
    'call.arrived': 'Call arrives',
    'call.originated': 'Call is begun',
    'call.known': 'Somebody we know',
    'call.asked': 'Asked for a code',
    'call.code': 'Code keyed',
    'call.matched': 'Party recognised',
    'call.dialling': 'Dialling',
    'call.ringing': 'Ringing',
    'call.bridged': 'Both talk',
    'call.operator': 'Asks for an operator',
    'call.restored': 'Call goes on after a crash',
    'call.ended': 'Call ended',
    'record.written': 'Record written',
    'recording.paused': 'Recording paused',
    'recording.resumed': 'Recording resumed',
    'recording.ready': 'Recording ready',
    'hook.failed': 'Hook failed',
    'hook.recovered': 'Hook recovered',
    'callback.created': 'Callback asked for',
    'callback.first-answered': 'First side answered',
    'callback.second-answered': 'Second side answered',
    'callback.ended': 'Callback ended',
    'order.put': 'Order put',
    'order.expired': 'Order expired',
    'pair.created': 'Pair made',
    'pair.changed': 'Pair changed',
    'pair.closed': 'Pair closed',
    'pair.expired': 'Pair expired',
    'notice.sent': 'Notice sent',
    'notice.failed': 'Notice failed',
    'trunk.registered': 'Trunk registered',
    'trunk.unregistered': 'Trunk not registered',
    'trunk.up': 'Trunk up',
    'trunk.down': 'Trunk down',
};

const ru: Record<Kind, string> = {
    'call.arrived': 'Поступил звонок',
    'call.originated': 'Звонок начат нами',
    'call.known': 'Известный человек',
    'call.asked': 'Спрошен код',
    'call.code': 'Набран код',
    'call.matched': 'Сторона узнана',
    'call.dialling': 'Набор номера',
    'call.ringing': 'Звонит телефон',
    'call.bridged': 'Разговаривают',
    'call.operator': 'Просит оператора',
    'call.restored': 'Звонок продолжен после сбоя',
    'call.ended': 'Звонок окончен',
    'record.written': 'Внесён в историю',
    'recording.paused': 'Запись приостановлена',
    'recording.resumed': 'Запись продолжена',
    'recording.ready': 'Запись готова',
    'hook.failed': 'Хук не ответил',
    'hook.recovered': 'Хук снова отвечает',
    'callback.created': 'Заказан обратный звонок',
    'callback.first-answered': 'Первая сторона ответила',
    'callback.second-answered': 'Вторая сторона ответила',
    'callback.ended': 'Обратный звонок окончен',
    'order.put': 'Заказ внесён',
    'order.expired': 'Заказ истёк',
    'pair.created': 'Пара создана',
    'pair.changed': 'Пара изменена',
    'pair.closed': 'Пара закрыта',
    'pair.expired': 'Пара истекла',
    'notice.sent': 'Сообщение отправлено',
    'notice.failed': 'Сообщение не отправлено',
    'trunk.registered': 'Транк зарегистрирован',
    'trunk.unregistered': 'Транк не зарегистрирован',
    'trunk.up': 'Транк работает',
    'trunk.down': 'Транк не отвечает',
};

export const eventWords = dictionary(
    { kinds: en, found: 'order found', notFound: 'no such order' },
    { kinds: ru, found: 'заказ найден', notFound: 'такого заказа нет' },
);

function text(value: unknown): string {
    return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}

/** The most telling of an event's data, in one line of text. */
export function summary({ type, data }: LiveEvent): string {
    const number = (key: string) => (text(data[key]) ? phone(text(data[key])) : '');
    const parts = (...texts: string[]) => texts.filter(Boolean).join(' · ');
    switch (type) {
        case 'call.arrived':
            return [number('caller'), number('line')].filter(Boolean).join(' → ');
        case 'call.known':
            return parts(text(data['name']), word(calls.roles, text(data['role'])), text(data['code']));
        case 'call.code':
            return parts(text(data['code']), data['order_found'] ? eventWords.found : eventWords.notFound);
        case 'call.matched':
            return parts(word(calls.roles, text(data['caller_role'])), text(data['code']) || text(data['pair']));
        case 'call.dialling':
            return parts(word(calls.roles, text(data['callee_role'])), number('callee'));
        case 'call.ended':
        case 'callback.ended':
            return parts(word(calls.causes, text(data['cause'])), word(calls.sides, text(data['ended_by'])));
        case 'record.written':
            return parts(number('line'), word(calls.causes, text(data['cause'])));
        case 'callback.first-answered':
        case 'callback.second-answered':
            return number('number');
        default:
            return parts(text(data['code']), text(data['trunk']), text(data['hook']), number('line'), text(data['fault']));
    }
}
