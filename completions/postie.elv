
use builtin;
use str;

set edit:completion:arg-completer[postie] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'postie'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'postie'= {
            cand -c 'Read this configuration file instead of the usual one'
            cand --config 'Read this configuration file instead of the usual one'
            cand --timeout 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]'
            cand -q 'Say nothing but errors'
            cand --quiet 'Say nothing but errors'
            cand -v 'Show the conversation with the server, passwords masked'
            cand --verbose 'Show the conversation with the server, passwords masked'
            cand --json 'Print results as one JSON object a line'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand fetch 'Fetch new messages from POP3 servers into a Maildir'
            cand send 'Submit a message to an SMTP server, logged in'
            cand queue 'List the messages that wait to be sent; send them, or drop them'
            cand import 'Take over accounts from msmtp, mpop, fetchmail and getmail, and what they have fetched'
            cand check 'Find out what is wrong with an account, and what to do about it'
            cand install 'Put the manual pages, completions and systemd units where they belong'
            cand man 'Print a manual page'
            cand completions 'Print the completions of a shell'
            cand setup 'Find the servers of an address, and print the account to write into the configuration'
            cand version 'Print the version'
            cand login 'Log in by OAuth 2.0 once, so that later runs have tokens by themselves'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'postie;fetch'= {
            cand --maildir 'Deliver into this Maildir'
            cand --keep 'What becomes of a message on the server when it is safe: `forever`, `none` or e.g. `30d`'
            cand --limit 'Fetch at most so many messages per account, the oldest first'
            cand --max-size 'Leave larger messages on the server, e.g. `500k` or `25M`'
            cand --jobs 'Fetch from up to NUMBER accounts in parallel, 64 at most [default: 8]'
            cand --server 'Use this server, and no configuration file'
            cand --user 'Log in with this name'
            cand --tls 'TLS from the start (`implicit`, the default) or after STLS or STARTTLS (`starttls`), or `none`, which is for a server on this machine''s loopback address only'
            cand --password-file 'Read the password from the first line of a file'
            cand --password-command 'Read the password from what a command prints on its first line'
            cand --ca-file 'Trust these certification authorities instead of the usual ones (PEM)'
            cand -c 'Read this configuration file instead of the usual one'
            cand --config 'Read this configuration file instead of the usual one'
            cand --timeout 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]'
            cand --all 'Fetch also what was fetched before'
            cand --repeat 'Connect again until a session brings nothing new, for servers that show only a part'
            cand --dry-run 'Say what would happen to each message, and change nothing'
            cand --note-only 'Note everything that is there as not to be fetched, and fetch nothing'
            cand -q 'Say nothing but errors'
            cand --quiet 'Say nothing but errors'
            cand -v 'Show the conversation with the server, passwords masked'
            cand --verbose 'Show the conversation with the server, passwords masked'
            cand --json 'Print results as one JSON object a line'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'postie;send'= {
            cand -a 'Send with this account'
            cand --account 'Send with this account'
            cand -f 'The sender''s address, to which failures are reported, perhaps with a name; `<>` for none, as of messages that are not to be answered'
            cand --from 'The sender''s address, to which failures are reported, perhaps with a name; `<>` for none, as of messages that are not to be answered'
            cand -F 'The name that stands before the sender''s address in a From field that is added'
            cand --full-name 'The name that stands before the sender''s address in a From field that is added'
            cand -N 'Ask for reports on `never`, or some of `success`, `failure` and `delay`, with commas'
            cand --dsn-notify 'Ask for reports on `never`, or some of `success`, `failure` and `delay`, with commas'
            cand -R 'Have failures reported with the `full` message or its header only (`hdrs`)'
            cand --dsn-return 'Have failures reported with the `full` message or its header only (`hdrs`)'
            cand --to 'Compose a message to these addresses'
            cand --cc 'Send copies to these addresses'
            cand --bcc 'Send copies to these addresses, and do not tell the others'
            cand --reply-to 'Have answers sent to these addresses'
            cand --subject 'The subject'
            cand --header 'Add a field to the header, as in `--header ''In-Reply-To: <1@example.net>''`'
            cand --body 'The text, instead of standard input (`-`)'
            cand --html 'The same as HTML, from a file or standard input (`-`); if there is no other text, all of it'
            cand --attach 'Attach files, or standard input (`-`). Further words are files as long as they exist and hold no `@`. One that the HTML shows by its name, as in `<img src="cid:photo.jpg">`, is part of the page'
            cand --server 'Use this server, and no configuration file'
            cand --user 'Log in with this name'
            cand --tls 'TLS from the start (`implicit`, the default) or after STLS or STARTTLS (`starttls`), or `none`, which is for a server on this machine''s loopback address only'
            cand --password-file 'Read the password from the first line of a file'
            cand --password-command 'Read the password from what a command prints on its first line'
            cand --ca-file 'Trust these certification authorities instead of the usual ones (PEM)'
            cand -c 'Read this configuration file instead of the usual one'
            cand --config 'Read this configuration file instead of the usual one'
            cand --timeout 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]'
            cand -t 'Send also to the addresses in To, Cc and Bcc'
            cand --read-recipients 'Send also to the addresses in To, Cc and Bcc'
            cand --all-or-nothing 'Send to nobody unless the server accepts every recipient'
            cand --require-tls 'Have every server pass the message on by verified TLS, or not at all'
            cand --dry-run 'Print the envelope and the message, and connect to nothing'
            cand --queue 'If the message cannot be sent now, keep it in the outbox and send it later'
            cand -q 'Say nothing but errors'
            cand --quiet 'Say nothing but errors'
            cand -v 'Show the conversation with the server, passwords masked'
            cand --verbose 'Show the conversation with the server, passwords masked'
            cand --json 'Print results as one JSON object a line'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'postie;queue'= {
            cand -c 'Read this configuration file instead of the usual one'
            cand --config 'Read this configuration file instead of the usual one'
            cand --timeout 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]'
            cand -q 'Say nothing but errors'
            cand --quiet 'Say nothing but errors'
            cand -v 'Show the conversation with the server, passwords masked'
            cand --verbose 'Show the conversation with the server, passwords masked'
            cand --json 'Print results as one JSON object a line'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand flush 'Send what is due'
            cand remove 'Drop messages'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'postie;queue;flush'= {
            cand -c 'Read this configuration file instead of the usual one'
            cand --config 'Read this configuration file instead of the usual one'
            cand --timeout 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]'
            cand --all 'Send also what is not due yet'
            cand -q 'Say nothing but errors'
            cand --quiet 'Say nothing but errors'
            cand -v 'Show the conversation with the server, passwords masked'
            cand --verbose 'Show the conversation with the server, passwords masked'
            cand --json 'Print results as one JSON object a line'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'postie;queue;remove'= {
            cand -c 'Read this configuration file instead of the usual one'
            cand --config 'Read this configuration file instead of the usual one'
            cand --timeout 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]'
            cand -q 'Say nothing but errors'
            cand --quiet 'Say nothing but errors'
            cand -v 'Show the conversation with the server, passwords masked'
            cand --verbose 'Show the conversation with the server, passwords masked'
            cand --json 'Print results as one JSON object a line'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'postie;queue;help'= {
            cand flush 'Send what is due'
            cand remove 'Drop messages'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'postie;queue;help;flush'= {
        }
        &'postie;queue;help;remove'= {
        }
        &'postie;queue;help;help'= {
        }
        &'postie;import'= {
            cand -c 'Read this configuration file instead of the usual one'
            cand --config 'Read this configuration file instead of the usual one'
            cand --timeout 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]'
            cand --write 'Add the accounts to the configuration file, put passwords into files of their own, and note what was fetched before'
            cand -q 'Say nothing but errors'
            cand --quiet 'Say nothing but errors'
            cand -v 'Show the conversation with the server, passwords masked'
            cand --verbose 'Show the conversation with the server, passwords masked'
            cand --json 'Print results as one JSON object a line'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'postie;check'= {
            cand -f 'The sender''s address'
            cand --from 'The sender''s address'
            cand --dns 'Ask this resolver instead of the system''s'
            cand --connect-to 'Connect to this address instead of a server''s own'
            cand --server 'Use this server, and no configuration file'
            cand --user 'Log in with this name'
            cand --tls 'TLS from the start (`implicit`, the default) or after STLS or STARTTLS (`starttls`), or `none`, which is for a server on this machine''s loopback address only'
            cand --password-file 'Read the password from the first line of a file'
            cand --password-command 'Read the password from what a command prints on its first line'
            cand --ca-file 'Trust these certification authorities instead of the usual ones (PEM)'
            cand -c 'Read this configuration file instead of the usual one'
            cand --config 'Read this configuration file instead of the usual one'
            cand --timeout 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]'
            cand --fetch 'Check fetching only'
            cand --send 'Check sending only'
            cand --probe-sender 'Ask whether the server takes mail from the sender''s address, with MAIL FROM and RSET'
            cand --save 'If all of it works, add the account to the configuration file'
            cand -q 'Say nothing but errors'
            cand --quiet 'Say nothing but errors'
            cand -v 'Show the conversation with the server, passwords masked'
            cand --verbose 'Show the conversation with the server, passwords masked'
            cand --json 'Print results as one JSON object a line'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'postie;install'= {
            cand --prefix 'Install for the whole system, below this directory'
            cand -c 'Read this configuration file instead of the usual one'
            cand --config 'Read this configuration file instead of the usual one'
            cand --timeout 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]'
            cand --user 'Install for this user, in `XDG_DATA_HOME` (`~/.local/share`)'
            cand --list 'List the files and their states: `installed`, `missing`, `outdated` or `foreign`'
            cand --remove 'Remove what was installed'
            cand -q 'Say nothing but errors'
            cand --quiet 'Say nothing but errors'
            cand -v 'Show the conversation with the server, passwords masked'
            cand --verbose 'Show the conversation with the server, passwords masked'
            cand --json 'Print results as one JSON object a line'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'postie;man'= {
            cand -c 'Read this configuration file instead of the usual one'
            cand --config 'Read this configuration file instead of the usual one'
            cand --timeout 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]'
            cand -q 'Say nothing but errors'
            cand --quiet 'Say nothing but errors'
            cand -v 'Show the conversation with the server, passwords masked'
            cand --verbose 'Show the conversation with the server, passwords masked'
            cand --json 'Print results as one JSON object a line'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'postie;completions'= {
            cand -c 'Read this configuration file instead of the usual one'
            cand --config 'Read this configuration file instead of the usual one'
            cand --timeout 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]'
            cand -q 'Say nothing but errors'
            cand --quiet 'Say nothing but errors'
            cand -v 'Show the conversation with the server, passwords masked'
            cand --verbose 'Show the conversation with the server, passwords masked'
            cand --json 'Print results as one JSON object a line'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'postie;setup'= {
            cand -a 'Give the account this name; the first part of the address''s domain if none is given'
            cand --account 'Give the account this name; the first part of the address''s domain if none is given'
            cand --accept 'Accept a server outside the address''s domain that only an unsigned DNS answer names'
            cand --ca-file 'Trust these certification authorities instead of the usual ones (PEM)'
            cand --dns 'Ask this resolver instead of the system''s'
            cand --connect-to 'Connect to this address instead of a server''s own'
            cand -c 'Read this configuration file instead of the usual one'
            cand --config 'Read this configuration file instead of the usual one'
            cand --timeout 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]'
            cand --write 'Add the account to the configuration file'
            cand --offline 'Connect to nothing: only the table of providers is looked at'
            cand -q 'Say nothing but errors'
            cand --quiet 'Say nothing but errors'
            cand -v 'Show the conversation with the server, passwords masked'
            cand --verbose 'Show the conversation with the server, passwords masked'
            cand --json 'Print results as one JSON object a line'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'postie;version'= {
            cand -c 'Read this configuration file instead of the usual one'
            cand --config 'Read this configuration file instead of the usual one'
            cand --timeout 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]'
            cand -q 'Say nothing but errors'
            cand --quiet 'Say nothing but errors'
            cand -v 'Show the conversation with the server, passwords masked'
            cand --verbose 'Show the conversation with the server, passwords masked'
            cand --json 'Print results as one JSON object a line'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'postie;login'= {
            cand -c 'Read this configuration file instead of the usual one'
            cand --config 'Read this configuration file instead of the usual one'
            cand --timeout 'Give up on any step of the network after this time, such as 30s or 2m [default: 60s]'
            cand --device 'Log in with a code that is typed into a page on any machine'
            cand --forget 'Remove what is kept of the login'
            cand -q 'Say nothing but errors'
            cand --quiet 'Say nothing but errors'
            cand -v 'Show the conversation with the server, passwords masked'
            cand --verbose 'Show the conversation with the server, passwords masked'
            cand --json 'Print results as one JSON object a line'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'postie;help'= {
            cand fetch 'Fetch new messages from POP3 servers into a Maildir'
            cand send 'Submit a message to an SMTP server, logged in'
            cand queue 'List the messages that wait to be sent; send them, or drop them'
            cand import 'Take over accounts from msmtp, mpop, fetchmail and getmail, and what they have fetched'
            cand check 'Find out what is wrong with an account, and what to do about it'
            cand install 'Put the manual pages, completions and systemd units where they belong'
            cand man 'Print a manual page'
            cand completions 'Print the completions of a shell'
            cand setup 'Find the servers of an address, and print the account to write into the configuration'
            cand version 'Print the version'
            cand login 'Log in by OAuth 2.0 once, so that later runs have tokens by themselves'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'postie;help;fetch'= {
        }
        &'postie;help;send'= {
        }
        &'postie;help;queue'= {
            cand flush 'Send what is due'
            cand remove 'Drop messages'
        }
        &'postie;help;queue;flush'= {
        }
        &'postie;help;queue;remove'= {
        }
        &'postie;help;import'= {
        }
        &'postie;help;check'= {
        }
        &'postie;help;install'= {
        }
        &'postie;help;man'= {
        }
        &'postie;help;completions'= {
        }
        &'postie;help;setup'= {
        }
        &'postie;help;version'= {
        }
        &'postie;help;login'= {
        }
        &'postie;help;help'= {
        }
    ]
    $completions[$command]
}
