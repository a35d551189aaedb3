using InterGuest.Agent.Guests;

namespace InterGuest.Agent.Commands;

/// <summary>Runs roles on threads of their own.</summary>
internal static class RoleRunner
{
    /// <summary>Runs a role until it is done or this is cancelled.</summary>
    public static Task RunAsync(this RoleLoop loop, IRole role, CancellationToken cancel) =>
        Task.Factory.StartNew(() => loop.Run(role, cancel), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
