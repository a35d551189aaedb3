using System.CommandLine;
using InterGuest.Cli.Completion;

namespace InterGuest.Cli.Commands;

/// <summary>`interguest completion`.</summary>
internal static class CompletionCommand
{
    public static CliCommand Create(CliContext context)
    {
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish." };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new CliCommand("completion",
            "Print a script that completes commands and names in a shell.")
        {
            Examples =
            [
                "source <(interguest completion bash)     # or in /etc/bash_completion.d/",
                "interguest completion zsh > \"${fpath[1]}/_interguest\"",
                "interguest completion fish > ~/.config/fish/completions/interguest.fish",
            ],
        };
        command.Add(shell);
        command.SetAction(result => context.Out.Write(result.GetRequiredValue(shell) switch
        {
            "bash" => CompletionScripts.Bash,
            "zsh" => CompletionScripts.Zsh,
            _ => CompletionScripts.Fish,
        }));
        return command;
    }
}
