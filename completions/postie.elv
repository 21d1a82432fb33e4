
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
            cand -c 'Read this configuration file instead of the default one'
            cand --config 'Read this configuration file instead of the default one'
            cand --timeout 'Give up on any network wait after TIME, e.g. 2m [default: 60s]'
            cand -q 'Print errors only'
            cand --quiet 'Print errors only'
            cand -v 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --verbose 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --json 'Print results as JSON, one object per line'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand fetch 'Fetch new messages from POP3 servers into a Maildir'
            cand send 'Submit a message to an SMTP server, always logged in'
            cand queue 'List, send or remove the messages waiting in the outbox'
            cand check 'Find out what is wrong with an account, step by step'
            cand setup 'Find the servers for an address and print its account configuration'
            cand login 'Log in by OAuth 2.0; later runs renew the tokens'
            cand submit-server 'Submit messages for local users, who see no password'
            cand import 'Import accounts and state from msmtp, mpop, fetchmail and getmail'
            cand install 'Install the manual pages, shell completions and systemd units'
            cand man 'Print a manual page'
            cand completions 'Print the completion script for a shell'
            cand version 'Print the version'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'postie;fetch'= {
            cand -c 'Read this configuration file instead of the default one'
            cand --config 'Read this configuration file instead of the default one'
            cand --timeout 'Give up on any network wait after TIME, e.g. 2m [default: 60s]'
            cand --maildir 'Deliver into this Maildir instead of the account''s [default: ~/Maildir]'
            cand --keep 'Keep delivered messages on the server: forever, none, 30d [default: forever]'
            cand --limit 'Fetch at most NUMBER messages per account, oldest first'
            cand --max-size 'Leave messages larger than SIZE on the server, e.g. 25M'
            cand --jobs 'Fetch from NUMBER accounts in parallel [default: 64, 10 per host]'
            cand --server 'Use this server, and no configuration file'
            cand --user 'Log in with this name'
            cand --tls 'Use TLS: implicit, starttls, or none (loopback only) [default: implicit]'
            cand --password-file 'Read the password from the first line of FILE'
            cand --password-command 'Read the password from the first line that COMMAND prints'
            cand --ca-file 'Trust only the certification authorities in FILE (PEM)'
            cand -q 'Print errors only'
            cand --quiet 'Print errors only'
            cand -v 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --verbose 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --json 'Print results as JSON, one object per line'
            cand --all 'Fetch again the messages that were fetched before'
            cand --repeat 'Reconnect until a session brings no new messages'
            cand --dry-run 'List what would happen to each message; change nothing'
            cand --note-only 'Record all listed messages as not to be fetched; fetch nothing'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'postie;send'= {
            cand -c 'Read this configuration file instead of the default one'
            cand --config 'Read this configuration file instead of the default one'
            cand --timeout 'Give up on any network wait after TIME, e.g. 2m [default: 60s]'
            cand -a 'Send with this account [default: matched by the sender''s address]'
            cand --account 'Send with this account [default: matched by the sender''s address]'
            cand -f 'Set the sender''s address, which receives failure reports; <> for none'
            cand --from 'Set the sender''s address, which receives failure reports; <> for none'
            cand -F 'Set the sender''s name in an added From field'
            cand --full-name 'Set the sender''s name in an added From field'
            cand -N 'Request delivery reports: never, or any of success,failure,delay'
            cand --dsn-notify 'Request delivery reports: never, or any of success,failure,delay'
            cand -R 'Request the full message, or only hdrs, in failure reports'
            cand --dsn-return 'Request the full message, or only hdrs, in failure reports'
            cand --to 'Compose a message to these addresses'
            cand --cc 'Send copies to these addresses'
            cand --bcc 'Send blind copies to these addresses'
            cand --reply-to 'Direct replies to these addresses'
            cand --subject 'Set the subject'
            cand --header 'Add a header field, e.g. ''In-Reply-To: <1@example.net>'''
            cand --body 'Use TEXT as the text; - is standard input [default: -]'
            cand --html 'Read the text as HTML from FILE; - is standard input'
            cand --attach 'Attach these files; - is standard input'
            cand --server 'Use this server, and no configuration file'
            cand --user 'Log in with this name'
            cand --tls 'Use TLS: implicit, starttls, or none (loopback only) [default: implicit]'
            cand --password-file 'Read the password from the first line of FILE'
            cand --password-command 'Read the password from the first line that COMMAND prints'
            cand --ca-file 'Trust only the certification authorities in FILE (PEM)'
            cand -q 'Print errors only'
            cand --quiet 'Print errors only'
            cand -v 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --verbose 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --json 'Print results as JSON, one object per line'
            cand -t 'Send also to the addresses in To, Cc and Bcc'
            cand --read-recipients 'Send also to the addresses in To, Cc and Bcc'
            cand --all-or-nothing 'Send to no one unless every recipient is accepted'
            cand --require-tls 'Require verified TLS on every hop to the recipients'
            cand --dry-run 'Print the envelope and the message; connect to nothing'
            cand --queue 'Keep the message in the outbox if it cannot be sent now'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'postie;queue'= {
            cand -c 'Read this configuration file instead of the default one'
            cand --config 'Read this configuration file instead of the default one'
            cand --timeout 'Give up on any network wait after TIME, e.g. 2m [default: 60s]'
            cand -q 'Print errors only'
            cand --quiet 'Print errors only'
            cand -v 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --verbose 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --json 'Print results as JSON, one object per line'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand flush 'Send the messages that are due'
            cand remove 'Remove messages from the outbox'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'postie;queue;flush'= {
            cand -c 'Read this configuration file instead of the default one'
            cand --config 'Read this configuration file instead of the default one'
            cand --timeout 'Give up on any network wait after TIME, e.g. 2m [default: 60s]'
            cand --all 'Send also the messages that are not due yet'
            cand -q 'Print errors only'
            cand --quiet 'Print errors only'
            cand -v 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --verbose 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --json 'Print results as JSON, one object per line'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'postie;queue;remove'= {
            cand -c 'Read this configuration file instead of the default one'
            cand --config 'Read this configuration file instead of the default one'
            cand --timeout 'Give up on any network wait after TIME, e.g. 2m [default: 60s]'
            cand -q 'Print errors only'
            cand --quiet 'Print errors only'
            cand -v 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --verbose 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --json 'Print results as JSON, one object per line'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'postie;queue;help'= {
            cand flush 'Send the messages that are due'
            cand remove 'Remove messages from the outbox'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'postie;queue;help;flush'= {
        }
        &'postie;queue;help;remove'= {
        }
        &'postie;queue;help;help'= {
        }
        &'postie;check'= {
            cand -c 'Read this configuration file instead of the default one'
            cand --config 'Read this configuration file instead of the default one'
            cand --timeout 'Give up on any network wait after TIME, e.g. 2m [default: 60s]'
            cand -f 'Set the sender''s address'
            cand --from 'Set the sender''s address'
            cand --dns 'Ask this resolver instead of the system''s'
            cand --connect-to 'Connect to this address instead of a server''s own'
            cand --server 'Use this server, and no configuration file'
            cand --user 'Log in with this name'
            cand --tls 'Use TLS: implicit, starttls, or none (loopback only) [default: implicit]'
            cand --password-file 'Read the password from the first line of FILE'
            cand --password-command 'Read the password from the first line that COMMAND prints'
            cand --ca-file 'Trust only the certification authorities in FILE (PEM)'
            cand -q 'Print errors only'
            cand --quiet 'Print errors only'
            cand -v 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --verbose 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --json 'Print results as JSON, one object per line'
            cand --fetch 'Check fetching only'
            cand --send 'Check sending only'
            cand --probe-sender 'Ask whether the server accepts the sender (MAIL FROM, then RSET)'
            cand --save 'Add the account to the configuration file if every step succeeds'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'postie;setup'= {
            cand -c 'Read this configuration file instead of the default one'
            cand --config 'Read this configuration file instead of the default one'
            cand --timeout 'Give up on any network wait after TIME, e.g. 2m [default: 60s]'
            cand -a 'Name the account NAME [default: first part of the domain]'
            cand --account 'Name the account NAME [default: first part of the domain]'
            cand --accept 'Accept this server outside the domain, named by unsigned DNS only'
            cand --ca-file 'Trust only the certification authorities in FILE (PEM)'
            cand --dns 'Ask this resolver instead of the system''s'
            cand --connect-to 'Connect to this address instead of a server''s own'
            cand -q 'Print errors only'
            cand --quiet 'Print errors only'
            cand -v 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --verbose 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --json 'Print results as JSON, one object per line'
            cand --write 'Add the account to the configuration file'
            cand --offline 'Look in the table of providers only; connect to nothing'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'postie;login'= {
            cand -c 'Read this configuration file instead of the default one'
            cand --config 'Read this configuration file instead of the default one'
            cand --timeout 'Give up on any network wait after TIME, e.g. 2m [default: 60s]'
            cand -q 'Print errors only'
            cand --quiet 'Print errors only'
            cand -v 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --verbose 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --json 'Print results as JSON, one object per line'
            cand --device 'Print a code to enter in a browser on any machine'
            cand --forget 'Remove the stored tokens'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'postie;submit-server'= {
            cand -c 'Read this configuration file instead of the default one'
            cand --config 'Read this configuration file instead of the default one'
            cand --timeout 'Give up on any network wait after TIME, e.g. 2m [default: 60s]'
            cand --listen 'Accept connections at this UNIX socket, one process for each'
            cand -q 'Print errors only'
            cand --quiet 'Print errors only'
            cand -v 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --verbose 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --json 'Print results as JSON, one object per line'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'postie;import'= {
            cand -c 'Read this configuration file instead of the default one'
            cand --config 'Read this configuration file instead of the default one'
            cand --timeout 'Give up on any network wait after TIME, e.g. 2m [default: 60s]'
            cand -q 'Print errors only'
            cand --quiet 'Print errors only'
            cand -v 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --verbose 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --json 'Print results as JSON, one object per line'
            cand --write 'Write the accounts, the passwords and the lists of fetched messages'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'postie;install'= {
            cand -c 'Read this configuration file instead of the default one'
            cand --config 'Read this configuration file instead of the default one'
            cand --timeout 'Give up on any network wait after TIME, e.g. 2m [default: 60s]'
            cand --prefix 'Install for the whole system, below DIR [default: /usr/local]'
            cand -q 'Print errors only'
            cand --quiet 'Print errors only'
            cand -v 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --verbose 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --json 'Print results as JSON, one object per line'
            cand --user 'Install for this user, below ~/.local/share'
            cand --list 'List the files and their states; change nothing'
            cand --remove 'Remove the installed files'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'postie;man'= {
            cand -c 'Read this configuration file instead of the default one'
            cand --config 'Read this configuration file instead of the default one'
            cand --timeout 'Give up on any network wait after TIME, e.g. 2m [default: 60s]'
            cand -q 'Print errors only'
            cand --quiet 'Print errors only'
            cand -v 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --verbose 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --json 'Print results as JSON, one object per line'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'postie;completions'= {
            cand -c 'Read this configuration file instead of the default one'
            cand --config 'Read this configuration file instead of the default one'
            cand --timeout 'Give up on any network wait after TIME, e.g. 2m [default: 60s]'
            cand --list 'Print these names, one per line: for the completion scripts'
            cand -q 'Print errors only'
            cand --quiet 'Print errors only'
            cand -v 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --verbose 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --json 'Print results as JSON, one object per line'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'postie;version'= {
            cand -c 'Read this configuration file instead of the default one'
            cand --config 'Read this configuration file instead of the default one'
            cand --timeout 'Give up on any network wait after TIME, e.g. 2m [default: 60s]'
            cand -q 'Print errors only'
            cand --quiet 'Print errors only'
            cand -v 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --verbose 'Show the conversation, passwords masked; -vv adds TLS and timing'
            cand --json 'Print results as JSON, one object per line'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'postie;help'= {
            cand fetch 'Fetch new messages from POP3 servers into a Maildir'
            cand send 'Submit a message to an SMTP server, always logged in'
            cand queue 'List, send or remove the messages waiting in the outbox'
            cand check 'Find out what is wrong with an account, step by step'
            cand setup 'Find the servers for an address and print its account configuration'
            cand login 'Log in by OAuth 2.0; later runs renew the tokens'
            cand submit-server 'Submit messages for local users, who see no password'
            cand import 'Import accounts and state from msmtp, mpop, fetchmail and getmail'
            cand install 'Install the manual pages, shell completions and systemd units'
            cand man 'Print a manual page'
            cand completions 'Print the completion script for a shell'
            cand version 'Print the version'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'postie;help;fetch'= {
        }
        &'postie;help;send'= {
        }
        &'postie;help;queue'= {
        }
        &'postie;help;check'= {
        }
        &'postie;help;setup'= {
        }
        &'postie;help;login'= {
        }
        &'postie;help;submit-server'= {
        }
        &'postie;help;import'= {
        }
        &'postie;help;install'= {
        }
        &'postie;help;man'= {
        }
        &'postie;help;completions'= {
        }
        &'postie;help;version'= {
        }
        &'postie;help;help'= {
        }
    ]
    $completions[$command]
}
