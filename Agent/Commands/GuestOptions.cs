using System.CommandLine;
using InterGuest.Agent.Guests;

namespace InterGuest.Agent.Commands;

/// <summary>The options of every role that say which device it drives.</summary>
internal sealed class GuestOptions
{
    private readonly Option<string> _port = new("--port")
    {
        HelpName = "SOCKET",
        Description = "The socket of the switch's port; 'interguest port show NAME' tells it",
        Required = true,
    };

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command) => command.Add(_port);

    /// <summary>The guest that was asked for.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="memoryBytes">What its role needs.</param>
    /// <exception cref="AgentException">It cannot be.</exception>
    public IGuest Make(ParseResult parsed, long memoryBytes) =>
        new ProcessGuest(Path.GetFullPath(parsed.GetValue(_port)!), memoryBytes);
}
