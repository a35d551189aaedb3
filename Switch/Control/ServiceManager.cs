using System.Globalization;
using InterGuest.Virtio.Native;

namespace InterGuest.Switch.Control;

/// <summary>
/// Tells a service manager that the switch is ready, that it ends, and, while all its threads answer, that it is alive: one that
/// hangs is killed and started again, and guests come back.
/// </summary>
/// <param name="notifier">The service manager; null: there is none.</param>
/// <param name="board">Whose threads are asked.</param>
/// <param name="lifetime">When the switch is ready, and when it ends.</param>
/// <param name="time">The clock.</param>
public sealed class ServiceManager(ServiceNotifier? notifier, Switchboard board, IHostApplicationLifetime lifetime, TimeProvider time) : BackgroundService
{
    /// <summary>How often the manager wants to hear of us; null: never. It waits twice as long.</summary>
    internal static TimeSpan? WatchdogPeriod(string? microseconds, string? pid) =>
        long.TryParse(microseconds, NumberStyles.None, CultureInfo.InvariantCulture, out long limit) && limit > 0
        && (string.IsNullOrEmpty(pid) || pid == Environment.ProcessId.ToString(CultureInfo.InvariantCulture))
            ? TimeSpan.FromMicroseconds(limit / 2.0)
            : null;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (notifier == null)
            return;
        lifetime.ApplicationStarted.Register(() => notifier.Send(string.Create(
            CultureInfo.InvariantCulture, $"READY=1\nMAINPID={Environment.ProcessId}\nSTATUS=joins guests")));
        lifetime.ApplicationStopping.Register(() => notifier.Send("STOPPING=1"));
        if (WatchdogPeriod(Environment.GetEnvironmentVariable("WATCHDOG_USEC"), Environment.GetEnvironmentVariable("WATCHDOG_PID")) is not { } period)
            return;
        using var timer = new PeriodicTimer(period, time);
        do
        {
            await board.ThreadsAnswerAsync();
            notifier.Send("WATCHDOG=1");
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }
}
