namespace InterGuest.Switch.Control;

/// <summary>The switch's life in the process: what was stored is made again, what happens is logged and handed on.</summary>
public sealed partial class SwitchHost(Switchboard board, EventHub hub, StateStore store, ILogger<SwitchHost> logger, TimeProvider time) : IHostedService
{
    private readonly LogBudget _budget = new(time);

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => board.InvokeAsync(() =>
    {
        board.Happened += OnHappened;
        store.Restore(board, LogNotRestored);
        board.Sockets.ForgetRest();
        board.Reconfigured += Save;
        Save();
        return true;
    });

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await board.InvokeAsync(() =>
        {
            board.Reconfigured -= Save;
            return true;
        });
        board.Dispose();
    }

    private void OnHappened(SwitchEvent happened)
    {
        // What guests cause must not fill a disk.
        if (_budget.TrySpend(out long suppressed))
        {
            if (suppressed > 0)
                LogSuppressed(suppressed);
            LogEvent(happened.Text);
        }
        if (hub.IsWatched)
            hub.Publish(happened.ToProto(happened.Port is { } port && happened.Kind != EventKind.Deleted ? board.LinksOf(port) : []));
    }

    private void Save()
    {
        try
        {
            store.Save(board);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNotStored(store.FilePath, e.Message);
        }
    }

    [LoggerMessage(LogLevel.Information, "{Text}")]
    private partial void LogEvent(string text);

    [LoggerMessage(LogLevel.Warning, "{Count} events were not logged: too many in a short time")]
    private partial void LogSuppressed(long count);

    [LoggerMessage(LogLevel.Error, "not restored: {Why}")]
    private partial void LogNotRestored(string why);

    [LoggerMessage(LogLevel.Error, "ports and links are not stored in {Path}, and will not survive a restart: {Why}")]
    private partial void LogNotStored(string path, string why);
}
