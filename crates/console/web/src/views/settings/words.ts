import { dictionary } from '../../language.svelte';

export const words = dictionary(
    {
        about: 'The configuration in force. It is changed in its file, and read again by a reload (SIGHUP) or a restart.',
        find: 'Section, key or value',
        written: 'Only what is written',
        key: 'Key',
        value: 'Value',
        default: 'default',
        nothing: 'Nothing is like that.',
        secret: 'set (secret)',
    },
    {
        about: 'Действующая конфигурация. Меняется в её файле; перечитывается по SIGHUP или при перезапуске.',
        find: 'Раздел, ключ или значение',
        written: 'Только заданное',
        key: 'Ключ',
        value: 'Значение',
        default: 'по умолчанию',
        nothing: 'Такого нет.',
        secret: 'задан (секрет)',
    },
);
