// Words that views of lists and their forms share.

import { dictionary, manyEn, manyRu } from '../language.svelte';
import { DAY, HOUR } from '../parts/lifetime';

export const lists = dictionary(
    {
        line: 'Line',
        noLine: 'any',
        expires: 'Expires',
        created: 'Made',
        changed: 'Changed',
        number: 'Number',
        name: 'Name',
        actions: ' Actions',
        edit: 'Edit',
        add: 'Add',
        refresh: 'Refresh',
        data: 'Data',
        dataHint: 'JSON that records and events tell again',
        lifetime: 'Lifetime',
        keepExpiry: 'as it is',
        never: 'until it is lifted',
        atMoment: 'until a moment',
        moment: 'Until when',
        optional: 'optional',
        keepNumber: 'left empty: stays as it is',
        length: (seconds: number) =>
            seconds % DAY === 0 ? manyEn(seconds / DAY, 'day', 'days') : manyEn(seconds / HOUR, 'hour', 'hours'),
    },
    {
        line: 'Линия',
        noLine: 'любая',
        expires: 'Истекает',
        created: 'Создано',
        changed: 'Изменено',
        number: 'Номер',
        name: 'Имя',
        actions: ' Действия',
        edit: 'Изменить',
        add: 'Добавить',
        refresh: 'Обновить',
        data: 'Данные',
        dataHint: 'JSON, который повторят история и события',
        lifetime: 'Срок',
        keepExpiry: 'как есть',
        never: 'пока не снимут',
        atMoment: 'до момента',
        moment: 'До какого момента',
        optional: 'необязательно',
        keepNumber: 'пусто: останется как есть',
        length: (seconds: number) =>
            seconds % DAY === 0 ? manyRu(seconds / DAY, 'день', 'дня', 'дней') : manyRu(seconds / HOUR, 'час', 'часа', 'часов'),
    },
);
