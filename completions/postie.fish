# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_postie_global_optspecs
    string join \n c/config= q/quiet v/verbose timeout= json h/help V/version
end

function __fish_postie_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_postie_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_postie_using_subcommand
    set -l cmd (__fish_postie_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c postie -n "__fish_postie_needs_command" -s c -l config -d 'Read this configuration file instead of the default one' -r -F
complete -c postie -n "__fish_postie_needs_command" -l timeout -d 'Give up on any network wait after TIME, e.g. 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_needs_command" -s q -l quiet -d 'Print errors only'
complete -c postie -n "__fish_postie_needs_command" -s v -l verbose -d 'Show the conversation, passwords masked; -vv adds TLS and timing'
complete -c postie -n "__fish_postie_needs_command" -l json -d 'Print results as JSON, one object per line'
complete -c postie -n "__fish_postie_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postie -n "__fish_postie_needs_command" -s V -l version -d 'Print version'
complete -c postie -n "__fish_postie_needs_command" -f -a "fetch" -d 'Fetch new messages from POP3 servers into a Maildir'
complete -c postie -n "__fish_postie_needs_command" -f -a "send" -d 'Submit a message to an SMTP server, always logged in'
complete -c postie -n "__fish_postie_needs_command" -f -a "queue" -d 'List, send or remove the messages waiting in the outbox'
complete -c postie -n "__fish_postie_needs_command" -f -a "check" -d 'Find out what is wrong with an account, step by step'
complete -c postie -n "__fish_postie_needs_command" -f -a "setup" -d 'Find the servers for an address and print its account configuration'
complete -c postie -n "__fish_postie_needs_command" -f -a "login" -d 'Log in by OAuth 2.0; later runs renew the tokens'
complete -c postie -n "__fish_postie_needs_command" -f -a "import" -d 'Import accounts and state from msmtp, mpop, fetchmail and getmail'
complete -c postie -n "__fish_postie_needs_command" -f -a "install" -d 'Install the manual pages, shell completions and systemd units'
complete -c postie -n "__fish_postie_needs_command" -f -a "man" -d 'Print a manual page'
complete -c postie -n "__fish_postie_needs_command" -f -a "completions" -d 'Print the completion script for a shell'
complete -c postie -n "__fish_postie_needs_command" -f -a "version" -d 'Print the version'
complete -c postie -n "__fish_postie_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postie -n "__fish_postie_using_subcommand fetch" -l maildir -d 'Deliver into this Maildir instead of the account\'s [default: ~/Maildir]' -r -f -a "(__fish_complete_directories)"
complete -c postie -n "__fish_postie_using_subcommand fetch" -l keep -d 'Keep delivered messages on the server: forever, none, 30d [default: forever]' -r
complete -c postie -n "__fish_postie_using_subcommand fetch" -l limit -d 'Fetch at most NUMBER messages per account, oldest first' -r
complete -c postie -n "__fish_postie_using_subcommand fetch" -l max-size -d 'Leave messages larger than SIZE on the server, e.g. 25M' -r
complete -c postie -n "__fish_postie_using_subcommand fetch" -l jobs -d 'Fetch from NUMBER accounts in parallel, at most 64 [default: 8]' -r
complete -c postie -n "__fish_postie_using_subcommand fetch" -l server -d 'Use this server, and no configuration file' -r -f -a "(__fish_print_hostnames)"
complete -c postie -n "__fish_postie_using_subcommand fetch" -l user -d 'Log in with this name' -r -f
complete -c postie -n "__fish_postie_using_subcommand fetch" -l tls -d 'Use TLS: implicit, starttls, or none (loopback only) [default: implicit]' -r -f -a "implicit\t''
starttls\t''
none\t''"
complete -c postie -n "__fish_postie_using_subcommand fetch" -l password-file -d 'Read the password from the first line of FILE' -r -F
complete -c postie -n "__fish_postie_using_subcommand fetch" -l password-command -d 'Read the password from the first line that COMMAND prints' -r -f -a "(__fish_complete_command)"
complete -c postie -n "__fish_postie_using_subcommand fetch" -l ca-file -d 'Trust only the certification authorities in FILE (PEM)' -r -F
complete -c postie -n "__fish_postie_using_subcommand fetch" -s c -l config -d 'Read this configuration file instead of the default one' -r -F
complete -c postie -n "__fish_postie_using_subcommand fetch" -l timeout -d 'Give up on any network wait after TIME, e.g. 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand fetch" -l all -d 'Fetch again the messages that were fetched before'
complete -c postie -n "__fish_postie_using_subcommand fetch" -l repeat -d 'Reconnect until a session brings no new messages'
complete -c postie -n "__fish_postie_using_subcommand fetch" -l dry-run -d 'List what would happen to each message; change nothing'
complete -c postie -n "__fish_postie_using_subcommand fetch" -l note-only -d 'Record all listed messages as not to be fetched; fetch nothing'
complete -c postie -n "__fish_postie_using_subcommand fetch" -s q -l quiet -d 'Print errors only'
complete -c postie -n "__fish_postie_using_subcommand fetch" -s v -l verbose -d 'Show the conversation, passwords masked; -vv adds TLS and timing'
complete -c postie -n "__fish_postie_using_subcommand fetch" -l json -d 'Print results as JSON, one object per line'
complete -c postie -n "__fish_postie_using_subcommand fetch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postie -n "__fish_postie_using_subcommand send" -s a -l account -d 'Send with this account [default: matched by the sender\'s address]' -r
complete -c postie -n "__fish_postie_using_subcommand send" -s f -l from -d 'Set the sender\'s address, which receives failure reports; <> for none' -r -f
complete -c postie -n "__fish_postie_using_subcommand send" -s F -l full-name -d 'Set the sender\'s name in an added From field' -r -f
complete -c postie -n "__fish_postie_using_subcommand send" -s N -l dsn-notify -d 'Request delivery reports: never, or any of success,failure,delay' -r
complete -c postie -n "__fish_postie_using_subcommand send" -s R -l dsn-return -d 'Request the full message, or only hdrs, in failure reports' -r
complete -c postie -n "__fish_postie_using_subcommand send" -l to -d 'Compose a message to these addresses' -r -f
complete -c postie -n "__fish_postie_using_subcommand send" -l cc -d 'Send copies to these addresses' -r -f
complete -c postie -n "__fish_postie_using_subcommand send" -l bcc -d 'Send blind copies to these addresses' -r -f
complete -c postie -n "__fish_postie_using_subcommand send" -l reply-to -d 'Direct replies to these addresses' -r -f
complete -c postie -n "__fish_postie_using_subcommand send" -l subject -d 'Set the subject' -r -f
complete -c postie -n "__fish_postie_using_subcommand send" -l header -d 'Add a header field, e.g. \'In-Reply-To: <1@example.net>\'' -r -f
complete -c postie -n "__fish_postie_using_subcommand send" -l body -d 'Use TEXT as the text; - is standard input [default: -]' -r -f
complete -c postie -n "__fish_postie_using_subcommand send" -l html -d 'Read the text as HTML from FILE; - is standard input' -r -F
complete -c postie -n "__fish_postie_using_subcommand send" -l attach -d 'Attach these files; - is standard input' -r -F
complete -c postie -n "__fish_postie_using_subcommand send" -l server -d 'Use this server, and no configuration file' -r -f -a "(__fish_print_hostnames)"
complete -c postie -n "__fish_postie_using_subcommand send" -l user -d 'Log in with this name' -r -f
complete -c postie -n "__fish_postie_using_subcommand send" -l tls -d 'Use TLS: implicit, starttls, or none (loopback only) [default: implicit]' -r -f -a "implicit\t''
starttls\t''
none\t''"
complete -c postie -n "__fish_postie_using_subcommand send" -l password-file -d 'Read the password from the first line of FILE' -r -F
complete -c postie -n "__fish_postie_using_subcommand send" -l password-command -d 'Read the password from the first line that COMMAND prints' -r -f -a "(__fish_complete_command)"
complete -c postie -n "__fish_postie_using_subcommand send" -l ca-file -d 'Trust only the certification authorities in FILE (PEM)' -r -F
complete -c postie -n "__fish_postie_using_subcommand send" -s c -l config -d 'Read this configuration file instead of the default one' -r -F
complete -c postie -n "__fish_postie_using_subcommand send" -l timeout -d 'Give up on any network wait after TIME, e.g. 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand send" -s t -l read-recipients -d 'Send also to the addresses in To, Cc and Bcc'
complete -c postie -n "__fish_postie_using_subcommand send" -l all-or-nothing -d 'Send to no one unless every recipient is accepted'
complete -c postie -n "__fish_postie_using_subcommand send" -l require-tls -d 'Require verified TLS on every hop to the recipients'
complete -c postie -n "__fish_postie_using_subcommand send" -l dry-run -d 'Print the envelope and the message; connect to nothing'
complete -c postie -n "__fish_postie_using_subcommand send" -l queue -d 'Keep the message in the outbox if it cannot be sent now'
complete -c postie -n "__fish_postie_using_subcommand send" -s q -l quiet -d 'Print errors only'
complete -c postie -n "__fish_postie_using_subcommand send" -s v -l verbose -d 'Show the conversation, passwords masked; -vv adds TLS and timing'
complete -c postie -n "__fish_postie_using_subcommand send" -l json -d 'Print results as JSON, one object per line'
complete -c postie -n "__fish_postie_using_subcommand send" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postie -n "__fish_postie_using_subcommand queue; and not __fish_seen_subcommand_from flush remove help" -s c -l config -d 'Read this configuration file instead of the default one' -r -F
complete -c postie -n "__fish_postie_using_subcommand queue; and not __fish_seen_subcommand_from flush remove help" -l timeout -d 'Give up on any network wait after TIME, e.g. 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand queue; and not __fish_seen_subcommand_from flush remove help" -s q -l quiet -d 'Print errors only'
complete -c postie -n "__fish_postie_using_subcommand queue; and not __fish_seen_subcommand_from flush remove help" -s v -l verbose -d 'Show the conversation, passwords masked; -vv adds TLS and timing'
complete -c postie -n "__fish_postie_using_subcommand queue; and not __fish_seen_subcommand_from flush remove help" -l json -d 'Print results as JSON, one object per line'
complete -c postie -n "__fish_postie_using_subcommand queue; and not __fish_seen_subcommand_from flush remove help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postie -n "__fish_postie_using_subcommand queue; and not __fish_seen_subcommand_from flush remove help" -f -a "flush" -d 'Send the messages that are due'
complete -c postie -n "__fish_postie_using_subcommand queue; and not __fish_seen_subcommand_from flush remove help" -f -a "remove" -d 'Remove messages from the outbox'
complete -c postie -n "__fish_postie_using_subcommand queue; and not __fish_seen_subcommand_from flush remove help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from flush" -s c -l config -d 'Read this configuration file instead of the default one' -r -F
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from flush" -l timeout -d 'Give up on any network wait after TIME, e.g. 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from flush" -l all -d 'Send also the messages that are not due yet'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from flush" -s q -l quiet -d 'Print errors only'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from flush" -s v -l verbose -d 'Show the conversation, passwords masked; -vv adds TLS and timing'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from flush" -l json -d 'Print results as JSON, one object per line'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from flush" -s h -l help -d 'Print help'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from remove" -s c -l config -d 'Read this configuration file instead of the default one' -r -F
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from remove" -l timeout -d 'Give up on any network wait after TIME, e.g. 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from remove" -s q -l quiet -d 'Print errors only'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from remove" -s v -l verbose -d 'Show the conversation, passwords masked; -vv adds TLS and timing'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from remove" -l json -d 'Print results as JSON, one object per line'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "flush" -d 'Send the messages that are due'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove messages from the outbox'
complete -c postie -n "__fish_postie_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postie -n "__fish_postie_using_subcommand check" -s f -l from -d 'Set the sender\'s address' -r -f
complete -c postie -n "__fish_postie_using_subcommand check" -l dns -d 'Ask this resolver instead of the system\'s' -r
complete -c postie -n "__fish_postie_using_subcommand check" -l connect-to -d 'Connect to this address instead of a server\'s own' -r
complete -c postie -n "__fish_postie_using_subcommand check" -l server -d 'Use this server, and no configuration file' -r -f -a "(__fish_print_hostnames)"
complete -c postie -n "__fish_postie_using_subcommand check" -l user -d 'Log in with this name' -r -f
complete -c postie -n "__fish_postie_using_subcommand check" -l tls -d 'Use TLS: implicit, starttls, or none (loopback only) [default: implicit]' -r -f -a "implicit\t''
starttls\t''
none\t''"
complete -c postie -n "__fish_postie_using_subcommand check" -l password-file -d 'Read the password from the first line of FILE' -r -F
complete -c postie -n "__fish_postie_using_subcommand check" -l password-command -d 'Read the password from the first line that COMMAND prints' -r -f -a "(__fish_complete_command)"
complete -c postie -n "__fish_postie_using_subcommand check" -l ca-file -d 'Trust only the certification authorities in FILE (PEM)' -r -F
complete -c postie -n "__fish_postie_using_subcommand check" -s c -l config -d 'Read this configuration file instead of the default one' -r -F
complete -c postie -n "__fish_postie_using_subcommand check" -l timeout -d 'Give up on any network wait after TIME, e.g. 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand check" -l fetch -d 'Check fetching only'
complete -c postie -n "__fish_postie_using_subcommand check" -l send -d 'Check sending only'
complete -c postie -n "__fish_postie_using_subcommand check" -l probe-sender -d 'Ask whether the server accepts the sender (MAIL FROM, then RSET)'
complete -c postie -n "__fish_postie_using_subcommand check" -l save -d 'Add the account to the configuration file if every step succeeds'
complete -c postie -n "__fish_postie_using_subcommand check" -s q -l quiet -d 'Print errors only'
complete -c postie -n "__fish_postie_using_subcommand check" -s v -l verbose -d 'Show the conversation, passwords masked; -vv adds TLS and timing'
complete -c postie -n "__fish_postie_using_subcommand check" -l json -d 'Print results as JSON, one object per line'
complete -c postie -n "__fish_postie_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postie -n "__fish_postie_using_subcommand setup" -s a -l account -d 'Name the account NAME [default: first part of the domain]' -r -f
complete -c postie -n "__fish_postie_using_subcommand setup" -l accept -d 'Accept this server outside the domain, named by unsigned DNS only' -r -f -a "(__fish_print_hostnames)"
complete -c postie -n "__fish_postie_using_subcommand setup" -l ca-file -d 'Trust only the certification authorities in FILE (PEM)' -r -F
complete -c postie -n "__fish_postie_using_subcommand setup" -l dns -d 'Ask this resolver instead of the system\'s' -r
complete -c postie -n "__fish_postie_using_subcommand setup" -l connect-to -d 'Connect to this address instead of a server\'s own' -r
complete -c postie -n "__fish_postie_using_subcommand setup" -s c -l config -d 'Read this configuration file instead of the default one' -r -F
complete -c postie -n "__fish_postie_using_subcommand setup" -l timeout -d 'Give up on any network wait after TIME, e.g. 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand setup" -l write -d 'Add the account to the configuration file'
complete -c postie -n "__fish_postie_using_subcommand setup" -l offline -d 'Look in the table of providers only; connect to nothing'
complete -c postie -n "__fish_postie_using_subcommand setup" -s q -l quiet -d 'Print errors only'
complete -c postie -n "__fish_postie_using_subcommand setup" -s v -l verbose -d 'Show the conversation, passwords masked; -vv adds TLS and timing'
complete -c postie -n "__fish_postie_using_subcommand setup" -l json -d 'Print results as JSON, one object per line'
complete -c postie -n "__fish_postie_using_subcommand setup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postie -n "__fish_postie_using_subcommand login" -s c -l config -d 'Read this configuration file instead of the default one' -r -F
complete -c postie -n "__fish_postie_using_subcommand login" -l timeout -d 'Give up on any network wait after TIME, e.g. 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand login" -l device -d 'Print a code to enter in a browser on any machine'
complete -c postie -n "__fish_postie_using_subcommand login" -l forget -d 'Remove the stored tokens'
complete -c postie -n "__fish_postie_using_subcommand login" -s q -l quiet -d 'Print errors only'
complete -c postie -n "__fish_postie_using_subcommand login" -s v -l verbose -d 'Show the conversation, passwords masked; -vv adds TLS and timing'
complete -c postie -n "__fish_postie_using_subcommand login" -l json -d 'Print results as JSON, one object per line'
complete -c postie -n "__fish_postie_using_subcommand login" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postie -n "__fish_postie_using_subcommand import" -s c -l config -d 'Read this configuration file instead of the default one' -r -F
complete -c postie -n "__fish_postie_using_subcommand import" -l timeout -d 'Give up on any network wait after TIME, e.g. 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand import" -l write -d 'Write the accounts, the passwords and the lists of fetched messages'
complete -c postie -n "__fish_postie_using_subcommand import" -s q -l quiet -d 'Print errors only'
complete -c postie -n "__fish_postie_using_subcommand import" -s v -l verbose -d 'Show the conversation, passwords masked; -vv adds TLS and timing'
complete -c postie -n "__fish_postie_using_subcommand import" -l json -d 'Print results as JSON, one object per line'
complete -c postie -n "__fish_postie_using_subcommand import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postie -n "__fish_postie_using_subcommand install" -l prefix -d 'Install for the whole system, below DIR [default: /usr/local]' -r -f -a "(__fish_complete_directories)"
complete -c postie -n "__fish_postie_using_subcommand install" -s c -l config -d 'Read this configuration file instead of the default one' -r -F
complete -c postie -n "__fish_postie_using_subcommand install" -l timeout -d 'Give up on any network wait after TIME, e.g. 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand install" -l user -d 'Install for this user, below ~/.local/share'
complete -c postie -n "__fish_postie_using_subcommand install" -l list -d 'List the files and their states; change nothing'
complete -c postie -n "__fish_postie_using_subcommand install" -l remove -d 'Remove the installed files'
complete -c postie -n "__fish_postie_using_subcommand install" -s q -l quiet -d 'Print errors only'
complete -c postie -n "__fish_postie_using_subcommand install" -s v -l verbose -d 'Show the conversation, passwords masked; -vv adds TLS and timing'
complete -c postie -n "__fish_postie_using_subcommand install" -l json -d 'Print results as JSON, one object per line'
complete -c postie -n "__fish_postie_using_subcommand install" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postie -n "__fish_postie_using_subcommand man" -s c -l config -d 'Read this configuration file instead of the default one' -r -F
complete -c postie -n "__fish_postie_using_subcommand man" -l timeout -d 'Give up on any network wait after TIME, e.g. 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand man" -s q -l quiet -d 'Print errors only'
complete -c postie -n "__fish_postie_using_subcommand man" -s v -l verbose -d 'Show the conversation, passwords masked; -vv adds TLS and timing'
complete -c postie -n "__fish_postie_using_subcommand man" -l json -d 'Print results as JSON, one object per line'
complete -c postie -n "__fish_postie_using_subcommand man" -s h -l help -d 'Print help'
complete -c postie -n "__fish_postie_using_subcommand completions" -s c -l config -d 'Read this configuration file instead of the default one' -r -F
complete -c postie -n "__fish_postie_using_subcommand completions" -l timeout -d 'Give up on any network wait after TIME, e.g. 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand completions" -s q -l quiet -d 'Print errors only'
complete -c postie -n "__fish_postie_using_subcommand completions" -s v -l verbose -d 'Show the conversation, passwords masked; -vv adds TLS and timing'
complete -c postie -n "__fish_postie_using_subcommand completions" -l json -d 'Print results as JSON, one object per line'
complete -c postie -n "__fish_postie_using_subcommand completions" -s h -l help -d 'Print help'
complete -c postie -n "__fish_postie_using_subcommand version" -s c -l config -d 'Read this configuration file instead of the default one' -r -F
complete -c postie -n "__fish_postie_using_subcommand version" -l timeout -d 'Give up on any network wait after TIME, e.g. 2m [default: 60s]' -r
complete -c postie -n "__fish_postie_using_subcommand version" -s q -l quiet -d 'Print errors only'
complete -c postie -n "__fish_postie_using_subcommand version" -s v -l verbose -d 'Show the conversation, passwords masked; -vv adds TLS and timing'
complete -c postie -n "__fish_postie_using_subcommand version" -l json -d 'Print results as JSON, one object per line'
complete -c postie -n "__fish_postie_using_subcommand version" -s h -l help -d 'Print help'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue check setup login import install man completions version help" -f -a "fetch" -d 'Fetch new messages from POP3 servers into a Maildir'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue check setup login import install man completions version help" -f -a "send" -d 'Submit a message to an SMTP server, always logged in'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue check setup login import install man completions version help" -f -a "queue" -d 'List, send or remove the messages waiting in the outbox'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue check setup login import install man completions version help" -f -a "check" -d 'Find out what is wrong with an account, step by step'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue check setup login import install man completions version help" -f -a "setup" -d 'Find the servers for an address and print its account configuration'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue check setup login import install man completions version help" -f -a "login" -d 'Log in by OAuth 2.0; later runs renew the tokens'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue check setup login import install man completions version help" -f -a "import" -d 'Import accounts and state from msmtp, mpop, fetchmail and getmail'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue check setup login import install man completions version help" -f -a "install" -d 'Install the manual pages, shell completions and systemd units'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue check setup login import install man completions version help" -f -a "man" -d 'Print a manual page'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue check setup login import install man completions version help" -f -a "completions" -d 'Print the completion script for a shell'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue check setup login import install man completions version help" -f -a "version" -d 'Print the version'
complete -c postie -n "__fish_postie_using_subcommand help; and not __fish_seen_subcommand_from fetch send queue check setup login import install man completions version help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postie -n "__fish_postie_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "flush" -d 'Send the messages that are due'
complete -c postie -n "__fish_postie_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "remove" -d 'Remove messages from the outbox'
