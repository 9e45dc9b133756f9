import OCI
import Testing

@testable import Images

@Suite struct LayerBudgetTests {
    private let window = 128 << 20

    @Test func ordinaryLayersAreAtWorkTogether() {
        var budget = LayerBudget(layers: 100)
        var count = 0
        while budget.hasRoom {
            budget.begin(count, isSmall: true)
            count += 1
        }
        #expect(count == LayerBudget.limit / LayerBudget.perLayer && count > LayerBudget().layers)
        let granted = (0..<count).map { budget.grant($0, 0, isLowest: $0 == 0) }
        #expect(granted.allSatisfy { $0 } && !budget.hasRoom)
        budget.end(3)
        #expect(budget.hasRoom)
    }

    @Test func noMoreThanTheMachineCanWorkOn() {
        var budget = LayerBudget(layers: 2)
        budget.begin(0, isSmall: true)
        #expect(budget.hasRoom)
        budget.begin(1, isSmall: true)
        #expect(!budget.hasRoom)
        budget.end(0)
        #expect(budget.hasRoom)
    }

    @Test func nobodyBeginsBeforeTheNeedIsKnown() {
        var budget = LayerBudget()
        budget.begin(0, isSmall: false)
        #expect(!budget.hasRoom)
        let isGranted = budget.grant(0, 8 << 20, isLowest: true)
        #expect(isGranted && budget.hasRoom)
        budget.begin(1, isSmall: LayerBudget.isSmall(.layerZstd))
        #expect(!budget.hasRoom)
        budget.end(1)
        #expect(budget.hasRoom && LayerBudget.isSmall(.dockerLayerGzip))
    }

    @Test func theWidestWindowIsAlone() {
        var budget = LayerBudget()
        budget.begin(0, isSmall: true)
        let first = budget.grant(0, 0, isLowest: true)
        budget.begin(1, isSmall: false)
        let early = budget.grant(1, window, isLowest: false)
        // Nothing was taken for it, and nobody overtakes it.
        #expect(first && !early && !budget.hasRoom)
        budget.end(0)
        let late = budget.grant(1, window, isLowest: true)
        #expect(late && !budget.hasRoom)
        budget.end(1)
        #expect(budget.hasRoom)
    }

    @Test func theLowestNeverWaits() {
        var budget = LayerBudget()
        for layer in 0..<4 { budget.begin(layer, isSmall: true) }
        let lowest = budget.grant(0, window, isLowest: true)
        let other = budget.grant(1, 1 << 20, isLowest: false)
        #expect(lowest && !other)
    }
}
