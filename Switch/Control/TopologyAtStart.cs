using InterGuest.Protos.V1;
using InterGuest.TopologyFiles;

namespace InterGuest.Switch.Control;

/// <summary>Applies the topology that the daemon was told to begin with, after what was stored is there again.</summary>
public sealed partial class TopologyAtStart(Switchboard board, SwitchOptions options, ILogger<TopologyAtStart> logger) : IHostedService
{
    /// <inheritdoc/>
    /// <exception cref="SwitchException">The file cannot be read, or what it says cannot be.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.TopologyFile is not { } path)
            return;
        var file = Load(path);
        try
        {
            var response = await board.InvokeAsync(() => TopologyApplier.Apply(board, options, new ApplyRequest { Topology = file.Topology }));
            LogApplied(path, response.Changes.Count);
        }
        catch (SwitchException e)
        {
            throw new SwitchException(e.Kind, file.Locate(e.Subject, e.Message));
        }
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static TopologyFile Load(string path)
    {
        try
        {
            return TopologyFile.Load(path);
        }
        catch (TopologyFileException e)
        {
            throw new SwitchException(SwitchError.Precondition, $"the topology {e.Message}");
        }
    }

    [LoggerMessage(LogLevel.Information, "topology {Path} applied: {Count} changes")]
    private partial void LogApplied(string path, int count);
}
