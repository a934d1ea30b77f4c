"""The commands and their options as a script that completes them in a shell."""

from collections.abc import Callable, Mapping, Sequence

from dtinterp.cli.commands import COMMANDS, EVERYWHERE

Options = Mapping[str, Sequence[str]]
"""The options of each command."""


def completion(shell: str, options: Options) -> str:
    """Return the script for a shell: to be sourced, or written where the shell looks for completions."""
    return SHELLS[shell](options)


def _words(options: Options) -> dict[str, list[str]]:
    """Return what may follow each beginning of a line: commands at first, then what a command takes."""
    followers = {"": [*sorted({name.split()[0] for name in COMMANDS}), "--help", *EVERYWHERE]}
    for name, own in options.items():
        first, _, second = name.partition(" ")
        if second:
            followers.setdefault(first, []).append(second)
        followers[name] = [*own, "--help", "--quiet", "--json"]
    return followers


def _bash(options: Options) -> str:
    cases = [f"            '{line}') words='{' '.join(words)}' ;;" for line, words in _words(options).items()]
    return "\n".join(
        [
            "# dtinterp --print-completion bash > ~/.local/share/bash-completion/completions/dtinterp",
            "_dtinterp() {",
            '    local words line="${COMP_WORDS[*]:1:2}" current="${COMP_WORDS[COMP_CWORD]}"',
            '    (( COMP_CWORD == 1 )) && line=""',
            '    (( COMP_CWORD == 2 )) && line="${COMP_WORDS[1]}"',
            '    for line in "$line" "${line%% *}"; do',
            '        words=""',
            '        case "$line" in',
            *cases,
            "        esac",
            '        [[ -n "$words" ]] && break',
            "    done",
            '    COMPREPLY=($(compgen -W "$words" -- "$current"))',
            "}",
            "complete -o default -F _dtinterp dtinterp",
        ]
    )


def _zsh(options: Options) -> str:
    return "\n".join(["#compdef dtinterp", "autoload -U +X bashcompinit && bashcompinit", _bash(options)])


def _fish(options: Options) -> str:
    lines = ["complete -c dtinterp -f"]
    for name, summary in ((name, command.summary) for name, command in COMMANDS.items()):
        first, _, second = name.partition(" ")
        where = f"__fish_seen_subcommand_from {first}" if second else "__fish_use_subcommand"
        if second:
            lines.append(f"complete -c dtinterp -n __fish_use_subcommand -a {first}")
        lines.append(f'complete -c dtinterp -n "{where}" -a {second or first} -d "{summary}"')
        for option in [*options[name], "--help", "--quiet", "--json"]:
            seen = f"__fish_seen_subcommand_from {second or first}"
            lines.append(f'complete -c dtinterp -F -n "{seen}" -l {option.removeprefix("--")}')
    return "\n".join(lines)


def _tcsh(options: Options) -> str:
    followers = _words(options)
    first = " ".join(followers.pop(""))
    later = " ".join(f"'n/{line}/({' '.join(words)})/'" for line, words in followers.items() if " " not in line)
    return f"complete dtinterp 'p/1/({first})/' {later}"


SHELLS: Mapping[str, Callable[[Options], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish, "tcsh": _tcsh}
