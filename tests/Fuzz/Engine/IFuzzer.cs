namespace InterGuest.Fuzz.Engine;

/// <summary>One kind of case: what it does with an input, and what must hold.</summary>
public interface IFuzzer : IDisposable
{
    /// <summary>By which it is called on the command line, and its corpus in its folder.</summary>
    string Name { get; }

    /// <summary>Runs a case.</summary>
    /// <param name="input">All choices of the case.</param>
    /// <param name="tally">Told what occurred.</param>
    /// <exception cref="FuzzException">Something does not hold. Any other exception is a failure, too.</exception>
    void Run(Input input, Tally tally);
}

/// <summary>Something that must hold does not.</summary>
public sealed class FuzzException(string what) : Exception(what)
{
    /// <summary>Throws if a thing is not as it must be.</summary>
    public static void Unless(bool holds, string what)
    {
        if (!holds)
            throw new FuzzException(what);
    }

    /// <summary>Throws if two things that must be equal are not.</summary>
    public static void UnlessEqual<T>(T expected, T actual, string what)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, actual))
            throw new FuzzException($"{what}: {expected} by the model, {actual} by the code");
    }
}
