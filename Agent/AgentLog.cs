namespace InterGuest.Agent;

/// <summary>What happens, in lines on standard error. From any thread.</summary>
internal sealed class AgentLog(TextWriter error)
{
    private readonly TextWriter _error = TextWriter.Synchronized(error);

    /// <summary>Says a line.</summary>
    public void Say(string line) => _error.WriteLine($"interguest-agent: {line}");
}
