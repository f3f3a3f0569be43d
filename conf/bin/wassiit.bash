# shellcheck shell=bash
# Completion of wassiit for bash: its words, options and files. Ids of partners are
# not asked for, as that takes a key and a network.

_wassiit() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]} verb=${COMP_WORDS[2]} words='' files=''
    local endpoint='--url --key-file --cacert --json'
    local change="$endpoint --if-match"
    COMPREPLY=()

    # the value of an option
    case $before in
        --file | --key-file | --cacert | --config | --nginx | --module) files=yes ;;
        --from) words='map kong apisix' ;;
        --state) words='enabled disabled' ;;
        --scopes | --add-scope | --drop-scope)
            words='messages.send audio.send files.send calls.initiate
                   conversations.read webhooks.manage' ;;
        --grace) words='0 1h 24h 7d' ;;
        --id | --partner | --rate | --url | --if-match | --query | --name | --group | --variable)
            return ;;
    esac

    if [[ -z $words$files ]]; then
        if [[ $COMP_CWORD -eq 1 ]]; then
            words='key check partner import backup restore help --help --version'
        else
            case $command in
                help) words='key check partner import backup restore' ;;
                key) words='--id --partner --scopes --rate' ;;
                check) words='--scopes --nginx --module' files=yes ;;
                import) words='--from --file --scopes --group --variable' files=yes ;;
                backup) words='--file' files=yes ;;
                restore) words='--file --scopes --empty --nginx --module' files=yes ;;
                partner)
                    if [[ $COMP_CWORD -eq 2 ]]; then
                        words='list show add set disable enable delete key rotate
                               revoke hmac-secret webhook-secret'
                    else
                        case $verb in
                            list) words="$endpoint --query --state" ;;
                            show) words=$endpoint ;;
                            add) words="$endpoint --name --scopes --rate" ;;
                            set) words="$change --name --no-name --scopes --add-scope
                                        --drop-scope --rate --no-rate" ;;
                            rotate | hmac-secret | webhook-secret)
                                words="$change --grace" ;;
                            *) words=$change ;;
                        esac
                        # elsewhere stands an id
                        [[ $word = -* ]] || return
                    fi ;;
            esac
            [[ $command = help ]] || words="$words --config --help"
        fi

        # options where one is begun, files elsewhere
        if [[ -n $files && $word != -* ]]; then
            words=
        else
            files=
        fi
    fi

    if [[ -n $files ]]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    fi
}

complete -F _wassiit wassiit
