using InterGuest.Switch.Tests;

namespace InterGuest.Agent.Tests;

/// <summary>A command of the agent, run in this process as its command line would.</summary>
internal sealed class AgentRun : IDisposable
{
    private readonly CancellationTokenSource _cancel = new();
    private readonly StringWriter _output = new();
    private readonly StringWriter _error = new();
    private readonly Task<int> _task;

    public AgentRun(params string[] arguments)
        : this(context => context, arguments)
    {
    }

    public AgentRun(Func<AgentContext, AgentContext> change, params string[] arguments)
    {
        var context = change(new AgentContext { Out = TextWriter.Synchronized(_output), Error = TextWriter.Synchronized(_error) });
        _task = Task.Run(() => AgentCommand.RunAsync(arguments, context, _cancel.Token));
    }

    public string Output => _output.ToString();

    public string Error => _error.ToString();

    /// <summary>Waits until it has said so.</summary>
    public void Says(string text) => Wait.Until(() => Error.Contains(text, StringComparison.Ordinal) || _task.IsCompleted, $"'{text}' in {Error}");

    /// <summary>Waits for its end.</summary>
    public Task<int> EndAsync() => Wait.ForAsync(_task, $"the agent ends; it said {Error}");

    /// <summary>Ends it as Ctrl-C does.</summary>
    public Task<int> InterruptAsync()
    {
        _cancel.Cancel();
        return EndAsync();
    }

    public void Dispose()
    {
        _cancel.Cancel();
        _task.Wait(Testing.TestGuest.Patience);
        _cancel.Dispose();
    }
}
