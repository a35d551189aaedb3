using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using InterGuest.Switch.Control;
using ServingStatus = InterGuest.Protos.Health.V1.HealthCheckResponse.Types.ServingStatus;

namespace InterGuest.Switch.Tests.Control;

/// <summary>What health means: every thread answers.</summary>
public sealed class HealthServiceTests
{
    [Fact]
    public async Task ASwitchWhoseThreadIsStuckDoesNotServe()
    {
        using var board = new TestSwitch();
        var health = new HealthService(board.Board, [], new ApplicationLifetime(NullLogger<ApplicationLifetime>.Instance))
        {
            Patience = TimeSpan.FromMilliseconds(200),
        };
        using var stuck = new ManualResetEventSlim();
        var work = board.Board.InvokeAsync(() =>
        {
            stuck.Wait();
            return true;
        });
        Assert.Equal(ServingStatus.NotServing, (await health.Check(new(), null!)).Status);
        stuck.Set();
        await work;
        await Wait.ForAsync(board.Board.ThreadsAnswerAsync(), "the threads answer");
        Assert.Equal(ServingStatus.Serving, (await health.Check(new(), null!)).Status);
    }

    [Fact]
    public async Task ASwitchThatHasEndedDoesNotServe()
    {
        using var board = new TestSwitch();
        var health = new HealthService(board.Board, [], new ApplicationLifetime(NullLogger<ApplicationLifetime>.Instance));
        board.Board.Dispose();
        Assert.Equal(ServingStatus.NotServing, (await health.Check(new(), null!)).Status);
    }
}
