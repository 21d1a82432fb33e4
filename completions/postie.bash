# Completions of postie for bash. Names of accounts and ids of messages are asked of postie.

_postie() {
    local program=$1 cur=$2 prev=$3 command= skip= word i
    COMPREPLY=()
    # bash makes a word of the sign in --option=value.
    [[ $cur == = ]] && cur=
    [[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $skip ]]; then
            [[ $word == = ]] || skip=
            continue
        fi
        case $command:$word in
        *:--accept|*:--account|*:--attach|*:--bcc|*:--body|*:--ca-file|*:--cc|*:--config|*:--dsn-notify|*:--dsn-return|*:--from|*:--full-name|*:--header|*:--html|*:--jobs|*:--keep|*:--limit|*:--listen|*:--maildir|*:--max-size|*:--password-command|*:--password-file|*:--prefix|*:--reply-to|*:--server|*:--subject|*:--timeout|*:--tls|*:--to|*:-F|*:-N|*:-R|*:-a|*:-c|*:-f|check:--user|fetch:--user|send:--user) skip=1 ;;
        *:-*) ;;
        *) case $command in '' | queue) command="${command:+$command }$word" ;; esac ;;
        esac
    done
    case $command:$prev in
    :-c|:--config|fetch:-c|fetch:--config|fetch:--password-file|fetch:--ca-file|send:-c|send:--config|send:--html|send:--attach|send:--password-file|send:--ca-file|queue:-c|queue:--config|queue\ flush:-c|queue\ flush:--config|queue\ remove:-c|queue\ remove:--config|check:-c|check:--config|check:--password-file|check:--ca-file|setup:-c|setup:--config|setup:--ca-file|login:-c|login:--config|submit-server:-c|submit-server:--config|submit-server:--listen|import:-c|import:--config|install:-c|install:--config|man:-c|man:--config|completions:-c|completions:--config) _postie_files -f; return ;;
    :--timeout|fetch:--timeout|fetch:--limit|fetch:--max-size|fetch:--jobs|fetch:--server|fetch:--user|fetch:--password-command|send:--timeout|send:-f|send:--from|send:-F|send:--full-name|send:--to|send:--cc|send:--bcc|send:--reply-to|send:--subject|send:--header|send:--body|send:--server|send:--user|send:--password-command|queue:--timeout|queue\ flush:--timeout|queue\ remove:--timeout|check:--timeout|check:-f|check:--from|check:--server|check:--user|check:--password-command|setup:--timeout|setup:-a|setup:--account|setup:--accept|login:--timeout|submit-server:--timeout|import:--timeout|install:--timeout|man:--timeout|completions:--timeout) :; return ;;
    fetch:--maildir|install:--prefix) _postie_files -d; return ;;
    fetch:--keep) _postie_offer forever none 30d; return ;;
    fetch:--tls|send:--tls|check:--tls) _postie_offer implicit starttls none; return ;;
    send:-a|send:--account) _postie_list accounts; return ;;
    send:-N|send:--dsn-notify) _postie_offer never success failure delay; return ;;
    send:-R|send:--dsn-return) _postie_offer full hdrs; return ;;
    esac
    case $command in
    '')
        if [[ $cur == -* ]]; then
            _postie_offer -c --config --timeout -q --quiet -v --verbose --json -h --help -V --version
        else
            _postie_offer fetch send queue check setup login submit-server import install man completions help
        fi
        ;;
    fetch)
        if [[ $cur == -* ]]; then
            _postie_offer -c --config --timeout --maildir --keep --limit --max-size --jobs --server --user --tls --password-file --password-command --ca-file -q --quiet -v --verbose --json --all --repeat --dry-run --note-only -h --help
        else
            _postie_list accounts
        fi
        ;;
    send)
        if [[ $cur == -* ]]; then
            _postie_offer -c --config --timeout -a --account -f --from -F --full-name -N --dsn-notify -R --dsn-return --to --cc --bcc --reply-to --subject --header --body --html --attach --server --user --tls --password-file --password-command --ca-file -q --quiet -v --verbose --json -t --read-recipients --all-or-nothing --require-tls --dry-run --queue -h --help
        else
            :
        fi
        ;;
    queue)
        if [[ $cur == -* ]]; then
            _postie_offer -c --config --timeout -q --quiet -v --verbose --json -h --help
        else
            _postie_offer flush remove help
        fi
        ;;
    queue\ flush)
        if [[ $cur == -* ]]; then
            _postie_offer -c --config --timeout --all -q --quiet -v --verbose --json -h --help
        else
            :
        fi
        ;;
    queue\ remove)
        if [[ $cur == -* ]]; then
            _postie_offer -c --config --timeout -q --quiet -v --verbose --json -h --help
        else
            _postie_list messages
        fi
        ;;
    queue\ help)
        if [[ $cur == -* ]]; then
            _postie_offer 
        else
            _postie_offer flush remove help
        fi
        ;;
    check)
        if [[ $cur == -* ]]; then
            _postie_offer -c --config --timeout -f --from --server --user --tls --password-file --password-command --ca-file -q --quiet -v --verbose --json --fetch --send --probe-sender --save -h --help
        else
            _postie_list accounts
        fi
        ;;
    setup)
        if [[ $cur == -* ]]; then
            _postie_offer -c --config --timeout -a --account --accept --ca-file -q --quiet -v --verbose --json --write --offline -h --help
        else
            :
        fi
        ;;
    login)
        if [[ $cur == -* ]]; then
            _postie_offer -c --config --timeout -q --quiet -v --verbose --json --device --forget -h --help
        else
            _postie_list accounts
        fi
        ;;
    submit-server)
        if [[ $cur == -* ]]; then
            _postie_offer -c --config --timeout --listen -q --quiet -v --verbose --json -h --help
        else
            :
        fi
        ;;
    import)
        if [[ $cur == -* ]]; then
            _postie_offer -c --config --timeout -q --quiet -v --verbose --json --write -h --help
        else
            _postie_files -f
        fi
        ;;
    install)
        if [[ $cur == -* ]]; then
            _postie_offer -c --config --timeout --prefix -q --quiet -v --verbose --json --user --list --remove -h --help
        else
            :
        fi
        ;;
    man)
        if [[ $cur == -* ]]; then
            _postie_offer -c --config --timeout -q --quiet -v --verbose --json -h --help
        else
            _postie_offer postie fetch send queue import check install submit-server setup login config providers recipes
        fi
        ;;
    completions)
        if [[ $cur == -* ]]; then
            _postie_offer -c --config --timeout -q --quiet -v --verbose --json -h --help
        else
            _postie_offer bash zsh fish elvish powershell
        fi
        ;;
    help)
        if [[ $cur == -* ]]; then
            _postie_offer 
        else
            _postie_offer fetch send queue check setup login submit-server import install man completions help
        fi
        ;;
    esac
}

# What follows uses the variables of _postie.

_postie_offer() {
    local word
    for word; do
        [[ $word == "$cur"* ]] && COMPREPLY+=("$word")
    done
}

_postie_list() {
    local name
    # No word of the answer is expanded: printf quotes it for the command line.
    while IFS= read -r name; do
        [[ $name == "$cur"* ]] && COMPREPLY+=("$(printf %q "$name")")
    done < <("${program/#\~/$HOME}" completions --list "$1" 2>/dev/null)
}

_postie_files() {
    local name
    while IFS= read -r name; do
        COMPREPLY+=("$name")
    done < <(compgen "$1" -- "$cur")
    compopt -o filenames 2>/dev/null
}

complete -F _postie postie
