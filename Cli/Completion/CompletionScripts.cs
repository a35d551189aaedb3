namespace InterGuest.Cli.Completion;

/// <summary>
/// Each script gives the line up to the cursor to the program's [suggest:N] directive, which answers with a suggestion
/// per line. The line begins with the plain name: the directive does not know paths. The program that is run is the one
/// being completed, so that ./interguest completes itself. Options are suggested once a '-' is written.
/// </summary>
internal static class CompletionScripts
{
    public const string Bash = """
        # bash completion for interguest, interguest-switch and interguest-agent: source <(interguest completion bash)
        _interguest() {
            local line=${COMP_LINE:0:COMP_POINT} word=${COMP_WORDS[COMP_CWORD]} suggestion
            COMPREPLY=()
            case ${COMP_WORDS[COMP_CWORD - 1]} in
                --socket | --qemu | --image | --port | --topology | --*-dir | --tls-*) compopt -o default; return ;;
            esac
            line="${COMP_WORDS[0]##*/}${line#"${COMP_WORDS[0]}"}"
            while IFS= read -r suggestion; do
                [[ $suggestion == -* && $word != -* ]] && continue
                [[ $suggestion == "$word"* ]] && COMPREPLY+=("$suggestion")
            done < <("${COMP_WORDS[0]}" "[suggest:${#line}]" "$line" 2>/dev/null)
        }
        complete -F _interguest interguest interguest-switch interguest-agent

        """;

    public const string Zsh = """
        #compdef interguest interguest-switch interguest-agent
        # zsh completion for interguest: interguest completion zsh > "${fpath[1]}/_interguest"
        _interguest() {
            local line="${words[1]:t} ${(j: :)words[2,CURRENT]}" suggestion
            local -a suggestions
            case ${words[CURRENT-1]} in
                --socket | --qemu | --image | --port | --topology | --*-dir | --tls-*) _files; return ;;
            esac
            for suggestion in "${(@f)$("${words[1]}" "[suggest:${#line}]" "$line" 2>/dev/null)}"; do
                [[ -z $suggestion || ( $suggestion == -* && ${words[CURRENT]} != -* ) ]] && continue
                suggestions+=("$suggestion")
            done
            compadd -a suggestions
        }
        if [[ ${funcstack[1]} == _interguest ]]; then
            _interguest "$@"
        else
            compdef _interguest interguest interguest-switch interguest-agent
        fi

        """;

    public const string Fish = """
        # fish completion for interguest: interguest completion fish > ~/.config/fish/completions/interguest.fish
        function __interguest_suggest
            set -l words (commandline -opc)
            set -l program $words[1]
            set -l token (commandline -ct)
            set -l line (string join ' ' -- (string split -r -m1 / -- $program)[-1] $words[2..-1] "$token")
            for suggestion in ($program "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null)
                if string match -q -- '-*' "$token"; or not string match -q -- '-*' $suggestion
                    echo $suggestion
                end
            end
        end
        for program in interguest interguest-switch interguest-agent
            complete -c $program -f -a '(__interguest_suggest)'
            for option in socket qemu image port topology socket-dir state-dir tls-cert tls-key tls-client-ca
                complete -c $program -l $option -r -F
            end
        end

        """;
}
