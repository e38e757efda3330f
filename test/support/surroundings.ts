/** What a test and the programs it starts find around them, whoever runs the tests and from whatever shell. */

// The permissions of new files. A test that is about another mask sets that itself.
process.umask(0o022);
// script(1) runs its command by this one, which may be nologin.
process.env['SHELL'] = '/bin/sh';
